"""Rows that share dictionaries are the rows that share none."""

from hypothesis import given
from hypothesis import strategies as st

from videozoomer.protocol.message_rows import from_rows, to_rows, to_rows_plainly
from videozoomer.protocol.messages import Image, Message, Text

PARTS = st.one_of(
    st.builds(Text, st.sampled_from(["a", "b", ""])),
    st.builds(Image, st.sampled_from(["a", "b", "f"]), st.sampled_from([0.0, 1.5])),
)
MESSAGES = st.lists(
    st.builds(
        Message,
        st.sampled_from(["system", "user", "assistant"]),
        st.lists(PARTS, max_size=4).map(tuple),
        st.booleans(),
    ),
    max_size=4,
)


@given(messages=MESSAGES)
def test_shared_rows_equal_plain_rows_and_give_the_messages_back(messages):
    rows = to_rows(messages)
    assert rows == to_rows_plainly(messages) and from_rows(rows) == tuple(messages)
    # Equal is not enough for times: 0 and 0.0 are equal, too.
    assert repr(rows) == repr(to_rows_plainly(messages))


def test_the_parts_before_the_last_are_shared_between_questions():
    overview = (Text("<frame0>"), Image("f", 0.0))
    one, two = (to_rows([Message("user", (*overview, Text(question)))])[0]["parts"] for question in ("who?", "where?"))
    assert all(first is second for first, second in zip(one[:2], two[:2], strict=True))
    assert one[2]["text"] == "who?" and two[2]["text"] == "where?"
