"""The terminal's dashboard: what a running app does, as people watch it.

What belongs here: the events that an app and a keyboard give (`events`), the frozen model that they make (`model`,
`reduce`, `controls`), how a model looks at a size (`view` and what it is made of), and the shell around that: the
connection (`source`), the terminal (`terminal`, `live`), the recording (`recording`). Model and view are pure: the
same events make the same screen, whether they come from an app or from a file.
"""
