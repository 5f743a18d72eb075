"""What the product keeps as a code has words for people: deeds of the audit, outcomes of jobs, reasons of directors."""

import ast
import re
from collections.abc import Iterator

from frontend.pages.jobs import OUTCOMES
from frontend.pages.live_view import HAPPENED
from frontend.pages.merchant_history import VERBS
from frontend.pages.reasons import REASONS
from frontend.pages.reservation_view import DEEDS
from studio.control.queries import Reason
from studio.director.commands import CODES
from studio.obs.errors import LinkRefused
from tests.architecture.calls import calls, texts, trees

# Functions that take a verb and hand it on to the audit, with the place of the verb among their arguments
RECORDS = {"record": 1, "close_row": 3, "_audit_control": 3, "_declare": 2, "_answered": 2, "_write_move": 6}
# Deeds on things that belong to no merchant, or that no history shows yet
UNSEEN = {
    "add", "add_calendar", "add_person", "add_unit", "change", "change_password", "close", "close_account", "create_token", "lift",
    "mark_clean", "open_account", "open_site", "pair", "retire", "retry", "revoke", "revoke_token", "set_enabled", "set_hours",
    "set_quota", "shift_clock",
}
# Who says a code: the calls, and the place of the code among their arguments
SAYS = {"NotReady": 1, "NotStarted": 0, "alarm": 0, "_say": 2, "Answer": 2}
CODE = re.compile(r"[a-z]+(_[a-z]+)*")
# What a person cannot meet: an identity check between processes, and notes in the log of a rig
QUIET = {"report", "stuck", "found_running", "started_at_the_computer"}


def _argument(call: ast.Call, place: int, name: str) -> ast.expr | None:
    named = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    return call.args[place] if len(call.args) > place else named


def _verbs() -> Iterator[tuple[str, str]]:
    """Yield each verb that is written into the audit, with where."""
    for function, place in (*RECORDS.items(), ("tell", 1)):
        for where, call in calls(function):
            if function == "tell" and not where.startswith("booking/"):
                continue
            verb = _argument(call, place, "verb")
            for text in texts(verb) if verb is not None else ():
                if CODE.fullmatch(text):
                    yield text, where
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.AsyncFunctionDef) and node.name in RECORDS:
                named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
                yield from ((text, path) for one, default in named if one.arg == "verb" and default is not None
                            for text in texts(default))


def test_every_deed_that_a_history_shows_has_words() -> None:
    found = dict(_verbs())
    assert len(found) > 40
    assert {verb: where for verb, where in found.items() if verb not in VERBS and verb not in UNSEEN} == {}
    assert set(VERBS) - set(found) == set()
    assert UNSEEN - set(found) == set()
    assert set(VERBS) & UNSEEN == set()


def test_a_verb_is_written_out_or_handed_on_by_a_function_known_here() -> None:
    for where, call in calls("record"):
        verb = _argument(call, 1, "verb")
        assert verb is None or texts(verb) or isinstance(verb, ast.Name), where
    handing_on = {
        node.name for _, tree in trees() for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)
        for call in ast.walk(node)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "record"
        and len(call.args) > 1 and isinstance(call.args[1], ast.Name)}
    assert handing_on == {*RECORDS, "tell"} - {"record", "_write_move"}


def test_the_histories_of_a_booking_and_of_a_merchant_know_the_same_deeds() -> None:
    of_bookings = {verb for verb, where in _verbs() if where.startswith("booking/reservations/")}
    assert of_bookings | {"check_in"} == set(DEEDS)
    assert set(DEEDS) <= set(VERBS)


def test_every_outcome_of_a_job_has_words() -> None:
    said = [(text, where) for where, call in calls("outcome") for text in texts(call.args[0])]
    assert len(said) > 20
    assert [one for one in said if one[0] not in OUTCOMES] == []
    assert set(OUTCOMES) - {text for text, _ in said} == set()


def _codes() -> Iterator[tuple[str, str]]:
    for function, place in SAYS.items():
        for where, call in calls(function):
            code = _argument(call, place, "code")
            if where.startswith("studio/") and code is not None:
                yield from ((text, where) for text in texts(code))
    for where, call in calls("set_cleanliness"):
        for keyword in call.keywords:
            if keyword.arg == "reason":
                yield from ((text, where) for text in texts(keyword.value))
    for path, tree in trees():
        for node in ast.walk(tree):
            if path.startswith("studio/") and isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from ((code, path) for code in re.findall(r"reason_code = '(\w+)'", node.value))
            if isinstance(node, ast.FunctionDef) and node.name in {"_refused", "_remark", "_mute_remark", "code_of"}:
                returned = [one.value for one in ast.walk(node) if isinstance(one, ast.Return) and one.value is not None]
                yield from ((text, path) for value in returned if path.startswith("studio/") for text in texts(value))


def test_every_reason_has_words() -> None:
    refusals = [(kind.code, "links") for kind in LinkRefused.__subclasses__()]
    said = [*_codes(), *((code, "commands") for code in CODES.values()), *refusals]
    assert len(refusals) == 3
    assert len({code for code, _ in said}) > 25
    assert [one for one in said if one[0] and one[0] not in REASONS] == []
    assert {code for code in Reason if code} - {"not_checked_in", "not_yours"} <= set(REASONS)  # those two are refusals


def test_every_line_of_a_show_is_told_or_meant_to_be_quiet() -> None:
    written = {text for where, call in calls("ran", "RanAt") if where.startswith("studio/director/")
               for text in texts(call.args[0])} | {"alarm"}
    assert written - set(HAPPENED) - QUIET == set()
    assert set(HAPPENED) - written - {"open", "panic0", "panic2"} == set()  # spoken by what the line says
