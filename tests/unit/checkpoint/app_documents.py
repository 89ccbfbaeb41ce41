"""Documents of apps, as Hypothesis strategies."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st
from strategies import edited_documents, sections, texts


@cache
def component_documents():
    return st.fixed_dictionaries({"vars": sections(), "calls": sections()})


def _flow(children):
    return st.fixed_dictionaries(
        {
            "vars": sections(),
            "calls": sections(),
            "flows": st.dictionaries(texts(), children, max_size=2),
            "works": st.dictionaries(texts(), component_documents(), max_size=2),
            "structures": st.dictionaries(
                texts(),
                st.fixed_dictionaries(
                    {
                        "works": st.dictionaries(texts(), component_documents(), max_size=2),
                        "flows": st.dictionaries(texts(), children, max_size=1),
                    }
                ),
                max_size=1,
            ),
            "changes": st.just({}),
        }
    )


@cache
def app_documents():
    """The document of a whole app, of a small tree."""
    flows = st.recursive(_flow(st.nothing()), _flow, max_leaves=2)
    return flows.map(lambda flow: {**flow, "app_state": {"stage": "running"}})


@st.composite
def histories(draw):
    """An app's documents, each an edit of the one before."""
    documents = [draw(app_documents())]
    for _ in range(draw(st.integers(0, 8))):
        documents.append(draw(edited_documents(documents[-1])))
    return documents
