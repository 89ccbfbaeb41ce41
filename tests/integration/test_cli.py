"""The command line, as subprocesses (issue: Running it)."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from command_lines import command

from lightning_grpc import __version__

DEADLINE_S = 50


@pytest.fixture
def write(tmp_path):
    def write_file(text, name="app.py"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


def test_an_empty_name_of_a_directory_is_not_taken_for_no_checkpoint(write):
    done = command("run", "app", write(FLOW.format(end="self.stop()")), "--no-server", "--checkpoint-dir", "")
    assert done.returncode == 1
    assert "the directory of the checkpoint has an empty name; is a variable not set?" in done.stderr


def test_a_file_has_the_annotations_that_it_has_as_a_script(write):
    text = """
        import lightning_grpc as L

        def f(x: int, y: "Later"): ...

        class Flow(L.LightningFlow):
            def run(self):
                print(f.__annotations__)
                self.stop()

        app = L.LightningApp(Flow())
    """
    plain = write(textwrap.dedent(text), "plain.py")
    done = command("run", "app", plain, "--no-server")
    assert (done.returncode, done.stdout) == (0, "{'x': <class 'int'>, 'y': 'Later'}\n"), done.stderr
    late = write("from __future__ import annotations\n" + textwrap.dedent(text), "late.py")
    assert command("run", "app", late, "--no-server").stdout == """{'x': 'int', 'y': "'Later'"}\n"""


FLOW = """
import sys
import lightning_grpc as L

class Work(L.LightningWork):
    def run(self, text):
        print("work says", text)

class Flow(L.LightningFlow):
    def __init__(self):
        super().__init__()
        self.work = Work()
    def run(self):
        self.work.run("hello")
        {end}
app = L.LightningApp(Flow())
"""


def test_an_app_that_stops_ends_with_0(write):
    done = command("run", "app", write(FLOW.format(end="self.stop('good bye')")))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "work says hello\ngood bye\n"
    assert "INFO: Your app has started." in done.stderr


def test_an_app_that_fails_ends_with_1(write):
    done = command("run", "app", write(FLOW.format(end="self.fail('too bad')")))
    assert done.returncode == 1
    assert "too bad" in done.stdout
    assert "fail()" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_exception_in_the_flow_is_shown_with_its_traceback(write):
    done = command("run", "app", write(FLOW.format(end="raise KeyError('the key')")))
    assert done.returncode == 1
    assert "KeyError: 'the key'" in done.stderr
    assert "app.py" in done.stderr


def test_a_failed_work_shows_its_own_traceback_once(write):
    text = FLOW.format(end="pass").replace('print("work says", text)', 'raise OSError("no " + text)')
    done = command("run", "app", write(text))
    assert done.returncode == 1
    assert done.stderr.count("OSError: no hello") == 1
    assert 'raise OSError("no " + text)' in done.stderr
    assert done.stderr.rstrip().splitlines()[-1].startswith("ERROR: root.work failed with OSError")


def test_the_files_own_arguments_come_after_two_dashes(write):
    text = FLOW.format(end="print(sys.argv[1:]); self.stop()")
    done = command("run", "app", write(text), "--name", "mine", "--", "--epochs", "3")
    assert "['--epochs', '3']" in done.stdout


def test_the_files_folder_comes_first_on_the_path_in_works_too(write):
    write("VALUE = 'from beside'\n", "beside.py")
    text = FLOW.format(end="self.stop()").replace('print("work says", text)', "import beside; print(beside.VALUE)")
    done = command("run", "app", write(text))
    assert done.stdout == "from beside\n"


def test_a_class_in_an_imported_module_works(write):
    write(
        "import lightning_grpc as L\nclass Work(L.LightningWork):\n    def run(self, text): print('imported', text)\n",
        "parts.py",
    )
    text = FLOW.format(end="self.stop()").replace("self.work = Work()", "import parts; self.work = parts.Work()")
    assert command("run", "app", write(text)).stdout == "imported hello\n"


def test_a_script_that_runs_its_own_app_works_both_ways(write):
    path = write(FLOW.format(end="self.stop()") + '\nif __name__ == "__main__":\n    app.run()\n')
    assert command("run", "app", path).stdout == "work says hello\n"
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=DEADLINE_S, check=True)
    assert done.stdout == "work says hello\n"


def test_an_environment_variable_reaches_the_works(write):
    text = FLOW.format(end="self.stop()").replace('print("work says", text)', "import os; print(os.environ['MARK'])")
    assert command("run", "app", write(text), "--env", "MARK=x=y").stdout == "x=y\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n", "defines no LightningApp"),
        (FLOW.format(end="pass") + "other = L.LightningApp(Flow())\n", "defines 2 LightningApps (app, other)"),
        ("import nothing_like_this\n", "No module named 'nothing_like_this'"),
        ("def broken(:\n", "SyntaxError"),
        (FLOW.format(end="pass").replace("super().__init__()", "pass"), "super().__init__()"),
    ],
)
def test_a_file_without_one_sound_app_is_explained(write, text, message):
    done = command("run", "app", write(text))
    assert done.returncode == 1
    assert message in done.stderr


def test_an_exception_while_loading_is_shown_before_the_explanation(write):
    done = command("run", "app", write("def f():\n    raise RuntimeError('while loading')\nf()\n"))
    trace, explanation = done.stderr.index("while loading"), done.stderr.index("no app was run")
    assert trace < explanation
    assert "cli/load.py" not in done.stderr


@pytest.mark.parametrize("path", ["missing.py", "."])
def test_a_file_that_is_none_is_explained(path, tmp_path):
    done = command("run", "app", path, cwd=tmp_path)
    assert done.returncode == 2
    assert path in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_command_line_ends_with_2(write):
    assert command("run", "app").returncode == 2
    assert command("run", "app", write(""), "--env", "nonsense").returncode == 2
    assert command("nonsense").returncode == 2


def test_help_and_version_are_there():
    assert "run" in command("--help").stdout
    assert "FILE" in command("run", "app", "--help").stdout
    assert __version__ in command("--version").stdout


def test_help_does_not_import_grpc():
    code = "import sys\nfrom lightning_grpc.cli import main\nsys.exit('grpc' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=DEADLINE_S, env=dict(os.environ))
