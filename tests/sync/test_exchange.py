"""Both sides of one exchange, in bytes."""

from sync.chain import SigningKey
from sync.exchange import Place as At
from sync.exchange import compose, pulled, read_reply, sign_reply
from sync.operations import SET, Change, Dot, Operation, Replaced
from sync.protocol import ExchangeReply
from sync.wire import pack


def _operation(sequence: int, context: tuple[Replaced, ...]) -> Operation:
    return Operation(
        dot=Dot(b"a" * 32, 1, "clinical", sequence),
        group_first=sequence,
        group_count=1,
        hlc=sequence,
        type="patient",
        record=b"p" * 16,
        patient=b"p" * 16,
        scope=b"c" * 16,
        context=context,
        changes=(Change(SET, "first_name", "Asha"),),
        actor=None,
        reason=None,
        schema=1,
    )


def test_a_page_of_operations_that_replace_others_arrives_as_it_was_signed() -> None:
    cloud, node = SigningKey(b"1" * 32), SigningKey(b"2" * 32)
    first = _operation(1, ())
    second = _operation(2, (Replaced("first_name", (first.dot,)),))
    composed = compose(At(1, 1), node, b"n" * 16, {}, sent_at=1, pull=10)
    page = pack([first, second], {b"a" * 32: b"c" * 16})
    reply = ExchangeReply(1, composed.answers, 1, 2, [], [], b"", more=False, next_after=60, page=page)

    answer = read_reply(sign_reply(reply, cloud), composed, cloud.public)

    assert [operation for operation, _ in pulled(answer)[0]] == [first, second]
