"""The control API over a real engine that no packet reaches, without sockets or processes."""

import asyncio
import json
import pickle
import random
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp

from fwemu.config import Config, load, policy
from fwemu.core.firewall import Firewall
from fwemu.core.flow import TCP, UDP, Zone
from fwemu.core.instants import SECOND
from fwemu.daemon import control_routes
from fwemu.daemon.control import application, metrics_application
from fwemu.daemon.control_process import Engine, answer_of
from fwemu.daemon.datapath import Datapath
from fwemu.daemon.device_log import DeviceLog
from fwemu.daemon.engine_settings import Flushes, Pair, flushes, logged, pair
from fwemu.daemon.http_limits import explained
from fwemu.daemon.journal import Journal
from fwemu.daemon.operations import PAGE, EngineRequests
from fwemu.daemon.process_log import ProcessLog
from fwemu.daemon.requests import (
    Advance,
    AnswerT,
    Asking,
    BeginFastForward,
    CountSessions,
    EndFastForward,
    Reply,
)
from fwemu.daemon.rundir import About
from fwemu.daemon.schedule import FlushSchedule
from fwemu.daemon.tally import Tally
from fwemu.errors import ControlError
from tests.daemon.fakes import Injector, Queue, StillClock
from tests.kit.wire import address, ip, tcp, udp

CLIENT, SERVER = address("10.0.1.2"), address("10.0.2.2")


class NearEngine:
    """Asks the operations directly, where the real one sends over a pipe."""

    def __init__(self, handler: EngineRequests) -> None:
        self._handler = handler
        self.asked: list[str] = []
        self.is_ending = False

    def ask(self, request: Asking[AnswerT]) -> AnswerT:
        if self.is_ending:
            raise ControlError("the firewall is ending")
        self.asked.append(type(request).__name__)
        reply: Reply = self._handler.answer(pickle.loads(pickle.dumps(request)))
        return answer_of(reply)


class World:
    """A firewall with its control API in front."""

    def __init__(self, directory: Path, *settings: str) -> None:
        config: Config = load(settings=settings)
        self.sent: list[Any] = []
        self.clock = StillClock()
        self.firewall = Firewall(policy(config))
        self.tally = Tally()
        self.events = directory / "events.jsonl"
        self.journal = Journal(self.events, self.clock, 1_000_000)  # type: ignore[arg-type]
        self.journal.select(logged(config))
        path = directory / "device.log"
        self.device_log = DeviceLog(path, self.clock, 1_000_000, "shop")  # type: ignore[arg-type]
        self.device_log.follow(config.daemon.device_log, self.firewall.policy)
        self.datapath = Datapath(
            self.firewall,
            self.clock,  # type: ignore[arg-type]
            {},
            FlushSchedule(self.clock),  # type: ignore[arg-type]
            Injector(self.sent),
            self.tally,
            self.journal,
            self.device_log,
        )
        self.handler = EngineRequests(
            self.datapath,
            self.clock,  # type: ignore[arg-type]
            Queue(lambda packet: None),  # type: ignore[arg-type]
            Injector(self.sent),  # type: ignore[arg-type]
            self.journal,
            self.device_log,
            self.tally,
            random.Random(1),
            flushes(config),
            pair(config),
            ProcessLog(),
        )
        self.engine = NearEngine(self.handler)
        about = About(
            "shop",
            1,
            1,
            "fw",
            0,
            "/run/x.sock",
            None,
            str(self.events),
            str(path),
            None,
            "stateful",
        )
        self.app: FastAPI = application(about, config, self.engine)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
        return ask(self.app, method, path, body, **query)

    def open_udp(self, ports: range) -> None:
        for port in ports:
            packet = ip(CLIENT, SERVER, UDP, udp(port, 53))
            decision = self.firewall.handle(packet, self.clock.now(), Zone.INSIDE)
            self.datapath.carry_out(decision.effects)
        self.datapath.publish()

    def open_tcp(self, port: int) -> None:
        for data, zone in (
            (ip(CLIENT, SERVER, TCP, tcp(port, 80, "S", 1)), Zone.INSIDE),
            (ip(SERVER, CLIENT, TCP, tcp(80, port, "SA", 1, 2)), Zone.OUTSIDE),
            (ip(CLIENT, SERVER, TCP, tcp(port, 80, "A", 2, 2)), Zone.INSIDE),
        ):
            decision = self.firewall.handle(data, self.clock.now(), zone)
            self.datapath.carry_out(decision.effects)
        self.datapath.publish()

    def logged(self) -> list[dict[str, Any]]:
        return [orjson.loads(line) for line in self.events.read_bytes().splitlines()]

    def close(self) -> None:
        self.journal.close()
        self.device_log.close()
        self.handler._queue.close()


def ask(app: ASGIApp, method: str, path: str, body: Any = None, **query: Any) -> httpx.Response:
    """One request, straight into the application."""

    async def one() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://fwemu") as client:
            content = None if body is None else json.dumps(body)  # half a character included
            headers = {} if body is None else {"Content-Type": "application/json"}
            return await client.request(
                method, path, content=content, headers=headers, params=query
            )

    return asyncio.run(one())


@pytest.fixture
def new_world(tmp_path: Path) -> Any:
    made: list[World] = []

    def make(*settings: str) -> World:
        made.append(World(tmp_path, *settings))
        return made[-1]

    yield make
    for world in made:
        world.close()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world()


# -- what it is ---------------------------------------------------------------------------------


def test_the_description_names_every_route_with_a_sentence(world: World) -> None:
    """A client in any language can be made from it."""
    document = world.ask("GET", "/openapi.json").json()
    routes = {
        (route.path, method.lower())
        for route in world.app.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    described = {
        (path, method): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert set(described) == routes
    for operation in described.values():
        assert operation["description"].split(".")[0]
        assert "200" in operation["responses"]
        for parameter in operation.get("parameters", ()):
            assert parameter["schema"].get("description") or parameter.get("description")


def test_the_metrics_port_has_one_route(world: World) -> None:
    """No description either: there is nothing to describe."""
    app = metrics_application(world.engine)
    assert [route.path for route in app.routes if hasattr(route, "path")] == ["/metrics"]
    answer = ask(app, "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "fwemu_sessions_capacity 65536.0" in answer.text


def test_time_that_is_not_scaled_has_nothing_to_report(world: World) -> None:
    """One second is one second, everywhere."""
    assert world.ask("GET", "/time-scale").json() == {
        "time_scale": 1,
        "settings": [],
        "not_scaled": [],
        "sockets": {},
    }


def test_status_says_who_it_is(world: World) -> None:
    """Including the version, for bug reports."""
    status = world.ask("GET", "/status").json()
    assert (status["name"], status["netns"], status["mode"]) == ("shop", "fw", "stateful")
    assert status["version"]


# -- sessions -----------------------------------------------------------------------------------


def listed(world: World, **query: Any) -> list[int]:
    """The numbers of all sessions that match, page by page."""
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page = world.ask("GET", "/sessions", after=after, **query).json()
        found += [session["id"] for session in page["sessions"]]
        after = page["next"]
    return found


@pytest.mark.parametrize("limit", [1, 7, 100, PAGE, 10_000])
@pytest.mark.parametrize("many", [0, 1, 100])
def test_pages_add_up_whatever_their_size(world: World, limit: int, many: int) -> None:
    """Also where the last page is exactly full."""
    world.open_udp(range(1, many + 1))
    assert listed(world, limit=limit) == list(range(1, many + 1))


def test_the_engine_is_asked_for_little_at_a_time(world: World) -> None:
    """A page of the API may be large; no packet waits longer for it."""
    world.open_udp(range(1, 3 * PAGE + 1))
    answer = world.ask("GET", "/sessions", limit=10_000).json()
    assert answer["total"] == len(answer["sessions"]) == 3 * PAGE
    assert answer["next"] is None
    assert world.engine.asked.count("ListSessions") == 3


def test_sessions_that_end_between_pages_are_not_missed_twice(world: World) -> None:
    """Pages follow numbers, not places: what ends moves nothing."""
    world.open_udp(range(1, 11))
    first = world.ask("GET", "/sessions", limit=5).json()
    world.ask("POST", "/sessions/kill", {"ids": [1, 2, 3, 6]})
    world.open_udp(range(11, 13))
    second = world.ask("GET", "/sessions", limit=5, after=first["next"]).json()
    assert [session["id"] for session in second["sessions"]] == [7, 8, 9, 10, 11]


def test_filters_may_be_combined(world: World) -> None:
    """All that are given must hold; letters may be of either size."""
    world.open_udp(range(1, 4))
    world.open_tcp(1000)
    assert listed(world, protocol="udp") == [1, 2, 3]
    assert listed(world, protocol="UDP", port=2) == [2]
    assert listed(world, port=53) == [1, 2, 3]
    assert listed(world, state="established") == [4]
    assert listed(world, host="10.0.2.2") == [1, 2, 3, 4]
    assert listed(world, host="10.0.2.2", protocol="tcp", port=1) == []
    assert listed(world, protocol="icmp") == []


def test_an_address_may_be_written_in_any_way(new_world: Callable[..., World]) -> None:
    """IPv6 addresses have many spellings."""
    world = new_world()
    packet = ip(address("fd00::1"), address("fd00::2"), UDP, udp(1, 53))
    world.firewall.handle(packet, world.clock.now(), Zone.INSIDE)
    assert listed(world, host="fd00::1") == [1]
    assert listed(world, host="FD00:0:0::1") == [1]
    assert listed(world, host="fd00:0000:0000:0000:0000:0000:0000:0002") == [1]


# -- the log of a device -------------------------------------------------------------------------


def test_the_device_log_begins_with_the_setting_and_knows_who_is_there(world: World) -> None:
    """It can be chosen while the firewall runs, and left again."""
    assert world.ask("GET", "/device-log").text == ""
    world.open_tcp(1000)
    world.ask("PATCH", "/config", {"settings": ["daemon.device_log=cisco-asa"]})
    world.ask("POST", "/flush")
    world.datapath.publish()
    answer = world.ask("GET", "/device-log")
    assert answer.headers["content-type"].startswith("text/plain")
    (line,) = answer.text.splitlines()
    assert "%ASA-6-302014: Teardown TCP connection 1 for outside:10.0.2.2/80 to inside:" in line
    world.ask("PATCH", "/config", {"settings": ["daemon.device_log=none"]})
    world.open_tcp(1001)
    assert world.ask("GET", "/device-log").text == answer.text


# -- errors -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body", "query", "says"),
    [
        ("GET", "/sessions", None, {"port": 70000}, "port"),
        ("GET", "/sessions", None, {"limit": 0}, "limit"),
        ("GET", "/sessions", None, {"colour": "red"}, "colour"),
        ("GET", "/sessions", None, {"host": "server"}, "'server' does not appear to be an IPv4"),
        ("GET", "/events", None, {"after": -1}, "after"),
        ("PATCH", "/config", {}, {}, "settings"),
        ("PATCH", "/config", {"settings": []}, {}, "settings"),
        ("PATCH", "/config", {"settings": ["table.capacty=5"]}, {}, "capacity"),
        ("PATCH", "/config", {"settings": ["daemon.queue=5"]}, {}, "daemon.queue"),
        ("PATCH", "/config", {"settings": ["nonsense"]}, {}, "nonsense"),
        ("POST", "/sessions/kill", {}, {}, "give one of ids, match or share"),
        ("POST", "/sessions/kill", {"ids": [1], "share": 0.5}, {}, "give one of"),
        ("POST", "/sessions/kill", {"share": 1.5}, {}, "share"),
        ("POST", "/sessions/kill", {"ids": [1], "notify": "loudly"}, {}, "notify"),
        ("POST", "/sessions/kill", {"match": {"colour": "red"}}, {}, "colour"),
        ("POST", "/sessions/kill", "\ud800", {}, "body: '\\ud800' is not an object"),
        ("POST", "/sessions/kill", {"ids": ["\ud800"]}, {}, "ids.0: is not text"),
        ("POST", "/sessions/kill", {"\ud800": 1}, {}, "body: is not text"),
        ("POST", "/sessions/kill", {"ids": [1], "notify": "\x1b[2J\n"}, {}, "notify: '\\x1b[2J"),
        ("POST", "/failover", {"state": "\ud800"}, {}, "state: is not text"),
        ("POST", "/reboot", {"outage": "\ud800"}, {}, "'\\ud800' is not a duration"),
        ("PATCH", "/config", {"settings": ["rules=[ #\ud800\n]"]}, {}, "rules: is not text"),
        ("PATCH", "/config", {"settings": ["\ud800"]}, {}, "is not text"),
        ("PATCH", "/config", {"settings": ['profile="\\ud800"']}, {}, "is not text"),
        ("PATCH", "/config", {"settings": [f"rules={'[' * 20_000}"]}, {}, "nests too deep"),
        ("PATCH", "/config", {"settings": [f"capacity={'9' * 5000}"]}, {}, "too large"),
        ("PATCH", "/config", {"settings": [{}]}, {}, "settings.0: a table is not text"),
    ],
)
def test_a_wrong_request_gets_one_line_that_names_what_is_wrong(
    world: World, method: str, path: str, body: Any, query: dict[str, Any], says: str
) -> None:
    """Status 400, an `error`, and nothing has changed."""
    world.open_udp(range(1, 4))
    before = world.ask("GET", "/config").json()
    answer = world.ask(method, path, body, **query)
    assert answer.status_code == 400
    (error,) = answer.json().values()
    assert says in error
    assert "\n" not in error
    assert "Traceback" not in error
    assert world.ask("GET", "/config").json() == before
    assert listed(world) == [1, 2, 3]


RAW = [
    (b"[" * 20_000, "application/json", "body"),
    (b'{"ids":[' + b"9" * 5000 + b"]}", "application/json", "body"),
    (b'{"ids":[1', "application/json", "body: is not JSON ("),
    (b'{"ids":["\\ud800"]}', "application/json", "ids.0: is not text"),
    (b'"\\ud800"', "application/json", "'\\ud800' is not an object"),
    (b"\xff\xfe", "application/json", "body"),
    (b"", "application/json", "body: missing"),
    (b'{"ids":[1]}', "application/x-www-form-urlencoded", "send the header Content-Type: appl"),
    (b'{"ids":[1]}', None, "send the header Content-Type: application/json, as `curl --json`"),
]


@pytest.mark.parametrize(("body", "media_type", "says"), RAW)
def test_a_body_that_is_none_gets_one_line_too(
    world: World, body: bytes, media_type: str | None, says: str
) -> None:
    """`curl -d` sends a form, unless it is told otherwise."""
    headers = {} if media_type is None else {"content-type": media_type}

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(world.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://fwemu") as client:
            return await client.post("/sessions/kill", content=body, headers=headers)

    answer = asyncio.run(send())
    assert answer.status_code == 400
    (error,) = answer.json().values()
    assert says in error
    assert "\n" not in error
    assert len(error) < 500


def test_a_request_with_many_mistakes_gets_a_line_and_not_a_page(world: World) -> None:
    """One mistake, made in a thousand places."""
    answer = world.ask("POST", "/sessions/kill", {"ids": ["x"] * 1000})
    assert answer.status_code == 400
    assert "and 990 problems more" in answer.json()["error"]


def test_the_words_of_pydantic_reach_nobody(world: World) -> None:
    """A message names what is wrong in the words of the rest."""
    for body in (
        {"ids": "x"}, {"ids": [1.5]}, {"ids": [None]}, {"match": 5}, {"share": "much"},
        {"share": 0}, {"share": 2}, {"ids": [1], "notify": 5}, {"ids": [1], "notify": "loudly"},
        {"ids": {}}, {"match": {"port": "x"}}, {"match": {"port": 10**30}}, {"match": {"state": 5}},
        [], 5, None, True,
    ):  # fmt: skip
        error = world.ask("POST", "/sessions/kill", body).json()["error"]
        for word in ("Input", "should", "valid", "Extra", "permitted", "type", "does not fit"):
            assert word not in error.partition("(docs/")[0], error
    for body in ({"state": "all"}, {"state": 5}, {"lag": []}, {"lag": "never"}, {"colour": 1}):
        error = world.ask("POST", "/failover", body).json()["error"]
        assert "Input" not in error, error
    answer = world.ask("POST", "/failover", {"state": "all"}).json()["error"]
    assert answer.startswith("state: 'all' is not none or synchronised (docs/")


def test_the_description_has_the_errors_that_there_are(world: World) -> None:
    """A client that is made from it expects 400 where 400 comes."""
    document = world.ask("GET", "/openapi.json").json()
    assert "422" not in str(document)
    assert "ValidationError" not in str(document)
    responses = document["paths"]["/sessions/kill"]["post"]["responses"]
    assert set(responses) == {"200", "400", "408", "413", "500", "503"}
    schema = responses["400"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/Error"}
    assert set(document["paths"]["/status"]["get"]["responses"]) == {"200", "500", "503"}


def test_an_error_of_ours_in_the_api_is_one_line_as_well(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its traceback is for the log of the process, once."""

    def fail(*arguments: Any) -> Any:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(control_routes, "to_settings", fail)
    app = explained(world.app, ProcessLog())
    for _ in range(3):
        answer = ask(app, "GET", "/config")
        assert answer.status_code == 500
        assert answer.json()["error"].startswith("GET /config: failed (ZeroDivisionError): see")
    assert capfd.readouterr().err.count("Traceback") == 1


def test_a_firewall_that_is_ending_says_so(world: World) -> None:
    """Status 503: asking again later may help, asking differently will not."""
    world.engine.is_ending = True
    for method, path in (("GET", "/sessions"), ("GET", "/stats"), ("POST", "/flush")):
        answer = world.ask(method, path)
        assert (answer.status_code, answer.json()) == (503, {"error": "the firewall is ending"})


def test_an_engine_whose_pipe_is_closed_is_ending() -> None:
    """What the control process sees of a firewall that has gone."""
    ours, theirs = Pipe()
    theirs.close()
    with ours, pytest.raises(ControlError, match="the firewall is ending"):
        Engine(ours).ask(CountSessions())


def test_a_request_at_which_the_engine_fails_is_answered_and_the_next_one_is_served(
    world: World, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Otherwise whoever may ask may end the firewall.

    Status 500, one sentence; the traceback stands in the log of the process, once, however often
    somebody asks.
    """
    world.open_udp(range(1, 4))

    def fail(*arguments: Any) -> Any:
        raise ZeroDivisionError("planted")

    with monkeypatch.context() as planted:
        planted.setattr(world.firewall, "flush", fail)
        for _ in range(3):
            answer = world.ask("POST", "/flush")
            assert answer.status_code == 500
            assert answer.json() == {
                "error": "Flush: the firewall failed at this request (ZeroDivisionError): "
                "see the traceback in the log of its process"
            }
    said = capfd.readouterr().err
    assert said.count("Traceback") == said.count("ZeroDivisionError: planted") == 1
    assert said.endswith(
        "Flush: the firewall failed at this request (ZeroDivisionError); it goes on\n"
    )
    assert listed(world) == [1, 2, 3]
    assert world.ask("POST", "/flush").json() == {"sessions": 3}


# -- acting -------------------------------------------------------------------------------------


def test_settings_change_and_all_are_told(world: World) -> None:
    """Open sessions follow at once; the log says what was changed."""
    world.open_udp(range(1, 4))
    answer = world.ask(
        "PATCH", "/config", {"settings": ["timeouts.udp_unreplied=7s", "table.capacity=2"]}
    )
    assert answer.json()["timeouts"]["udp_unreplied"] == "7s"
    assert world.ask("GET", "/config").json() == answer.json()
    sessions = world.ask("GET", "/sessions").json()["sessions"]
    assert [session["timeout_s"] for session in sessions] == [7.0, 7.0]
    world.datapath.publish()
    (noted,) = [event for event in world.logged() if event["event"] == "configured"]
    assert noted["changes"] == ["timeouts.udp_unreplied=7s", "table.capacity=2"]


def test_a_schedule_is_kept_unless_it_is_changed(world: World) -> None:
    """An interval would begin anew with every other setting, and never end."""
    world.ask("PATCH", "/config", {"settings": ['flush=[{every="10s"}]']})
    first = world.datapath.schedule
    world.clock.pass_time(6)
    world.ask("PATCH", "/config", {"settings": ["table.capacity=100"]})
    assert world.datapath.schedule is first
    assert world.datapath.milliseconds_to_wait() == 4000
    world.ask("PATCH", "/config", {"settings": ['flush=[{every="20s"}]']})
    assert world.datapath.milliseconds_to_wait() == 20_000
    world.ask("PATCH", "/config", {"settings": ["flush=[]"]})
    assert world.datapath.milliseconds_to_wait() is None


def test_what_is_logged_can_be_chosen_while_it_runs(world: World) -> None:
    """From the next event on."""
    world.ask("PATCH", "/config", {"settings": ['daemon.log_events=["torn_down"]']})
    world.open_udp(range(1, 3))
    world.ask("POST", "/flush")
    world.datapath.publish()
    assert [event["event"] for event in world.logged()] == ["configured", "torn_down", "torn_down"]


def test_a_flush_says_how_many_it_was(world: World) -> None:
    """And empties the table silently."""
    world.open_udp(range(1, 6))
    assert world.ask("POST", "/flush").json() == {"sessions": 5}
    assert world.ask("POST", "/flush").json() == {"sessions": 0}
    assert world.sent == []


def test_a_policy_push_flushes_in_the_same_step(world: World) -> None:
    """What was open ends as flushed, not as whatever the new settings would have made of it."""
    world.open_udp(range(1, 4))
    body = {"settings": ["table.capacity=1", "timeouts.udp_unreplied=7s"], "flush": True}
    assert world.ask("PATCH", "/config", body).json()["table"]["capacity"] == 1
    assert listed(world) == []
    world.datapath.publish()
    events = [event for event in world.logged() if event["event"] != "built"]
    assert [event["event"] for event in events] == ["configured"] + ["torn_down"] * 3
    assert events[0]["flushed"] is True
    assert {event["reason"] for event in events[1:]} == {"flushed"}


def test_a_failover_without_state_loses_everything(world: World) -> None:
    """The default pair; a body is not needed."""
    world.open_udp(range(1, 4))
    assert world.ask("POST", "/failover").json() == {
        "state": "none", "lag_s": 0.0, "kept": 0, "lost": 3, "returned": 0,
    }  # fmt: skip
    world.datapath.publish()
    noted, *ended = [event for event in world.logged() if event["event"] != "built"]
    assert noted["event"] == "failed_over"
    assert {name: noted[name] for name in ("state", "lag_s", "kept", "lost", "returned")} == {
        "state": "none", "lag_s": 0, "kept": 0, "lost": 3, "returned": 0,
    }  # fmt: skip
    assert [event["reason"] for event in ended] == ["failed_over"] * 3
    ended_by = world.ask("GET", "/stats").json()["sessions_ended"]
    assert ended_by == {"udp": {"failed_over": 3}}


def test_a_synchronised_peer_needs_no_preparation_if_it_has_no_lag(world: World) -> None:
    """It knows all that is in the table."""
    world.open_udp(range(1, 4))
    answer = world.ask("POST", "/failover", {"state": "synchronised"}).json()
    assert (answer["kept"], answer["lost"]) == (3, 0)
    assert len(listed(world)) == 3


def test_a_peer_that_lags_does_not_know_the_youngest_and_has_the_dead(
    new_world: Callable[..., World],
) -> None:
    """As its settings say, or less if the request says so."""
    world = new_world("standby.state=synchronised", "standby.lag=5s")
    world.open_udp(range(1, 4))
    world.clock.pass_time(5)
    world.open_udp(range(4, 6))
    world.ask("POST", "/sessions/kill", {"match": {"port": 1}})
    world.clock.pass_time(4)
    assert world.ask("POST", "/failover", {"lag": "4s"}).json() == {
        "state": "synchronised", "lag_s": 4.0, "kept": 4, "lost": 0, "returned": 0,
    }  # fmt: skip
    world.ask("POST", "/sessions/kill", {"match": {"port": 2}})
    world.open_udp(range(6, 7))
    assert world.ask("POST", "/failover").json() == {
        "state": "synchronised", "lag_s": 5.0, "kept": 3, "lost": 1, "returned": 1,
    }  # fmt: skip
    ports = [each["source_port"] for each in world.ask("GET", "/sessions").json()["sessions"]]
    assert ports == [3, 4, 5, 2]


def test_a_peer_begins_with_everything_when_its_lag_is_set(world: World) -> None:
    """And keeps what it knows while other settings change."""
    world.open_udp(range(1, 3))
    world.ask("PATCH", "/config", {"settings": ["standby.state=synchronised", "standby.lag=5s"]})
    world.open_udp(range(3, 4))
    world.ask("PATCH", "/config", {"settings": ["timeouts.icmp=5s"]})
    answer = world.ask("POST", "/failover").json()
    assert (answer["kept"], answer["lost"]) == (2, 1)
    world.ask("PATCH", "/config", {"settings": ["standby.lag=0s"]})
    world.open_udp(range(4, 5))
    assert world.datapath.standby is None
    assert world.ask("POST", "/failover").json()["lost"] == 0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (
            {"state": "synchronised", "lag": "5s"},
            "failover: lag 5s: changes are kept for 0s only "
            "(set standby.lag=5s at least that long before)",
        ),
        (
            {"lag": "5s"},
            "failover: a peer without state has no lag (leave lag out, or give state synchronised)",
        ),
        ({"state": "all"}, "state"),
        ({"lag": "never"}, "never is too long"),
    ],
)
def test_a_failover_that_cannot_be_is_refused(world: World, body: Any, error: str) -> None:
    """And nothing has happened."""
    world.open_udp(range(1, 4))
    answer = world.ask("POST", "/failover", body)
    assert answer.status_code == 400
    assert error in answer.json()["error"]
    assert len(listed(world)) == 3


def test_a_reboot_forgets_everything_and_is_in_the_log(world: World) -> None:
    """Nothing passes until it is over; the loop wakes up for its end."""
    world.open_udp(range(1, 4))
    assert world.ask("POST", "/reboot", {"outage": "30s"}).json() == {"sessions": 3}
    assert world.datapath.milliseconds_to_wait() == 30_000
    world.open_udp(range(1, 2))
    world.clock.pass_time(30)
    world.datapath.on_time()
    assert world.datapath.milliseconds_to_wait() is None
    world.open_udp(range(1, 2))
    events = [(event["event"], event.get("reason")) for event in world.logged()[3:]]
    assert events == [
        ("rebooting", None), *[("torn_down", "rebooted")] * 3,
        ("denied", "rebooting"), ("built", None),
    ]  # fmt: skip
    (noted,) = [event for event in world.logged() if event["event"] == "rebooting"]
    assert (noted["outage_s"], noted["sessions"]) == (30, 3)
    statistics = world.ask("GET", "/stats").json()
    assert statistics["packets"]["drop"] == {"rebooting": 1}


def test_a_peer_does_not_survive_a_reboot_of_the_pair(new_world: Callable[..., World]) -> None:
    """What a reboot has ended does not come back by a failover."""
    world = new_world("standby.state=synchronised", "standby.lag=60s")
    world.open_udp(range(1, 4))
    world.clock.pass_time(61)
    world.open_udp(range(1, 4))
    world.ask("POST", "/reboot", {"outage": "0s"})
    answer = world.ask("POST", "/failover").json()
    assert (answer["kept"], answer["lost"], answer["returned"]) == (0, 0, 0)


def test_the_pair_is_what_is_configured() -> None:
    """From the settings to plain data; without a lag there is nothing to keep."""
    assert pair(Config()) == Pair()
    assert pair(Config()).standby is None
    config = load(settings=["standby.state=synchronised", "standby.lag=2s"])
    known = pair(config).standby
    assert known is not None
    assert known.lag == 2 * 10**9


def test_the_log_says_that_time_was_moved_from_when_to_when(world: World) -> None:
    """Whoever lays a tcpdump beside the log sees which of its times are not those of the machine.

    The lines stand around what was played, and say what was not.
    """
    world.open_udp(range(1, 2))
    world.clock.real_nanoseconds = 5 * SECOND
    missing = tuple({"what": "a connection that is being opened", "local": n} for n in range(3))
    doubtful = ({"session": 1, "trust": "possible"},)
    hour = 3600 * SECOND
    world.engine.ask(BeginFastForward(hour))
    world.engine.ask(Advance(world.clock.now() + hour, watch=True))
    world.clock.real_nanoseconds += SECOND // 2
    world.engine.ask(EndFastForward(missing, "session-ended", doubtful))
    _, moving, ended, moved = world.logged()
    assert (moving["event"], moving["by_s"]) == ("time_moving", 3600)
    assert moving["real_time"] == "2026-01-01T00:00:05.000000+00:00"
    assert (ended["event"], ended["reason"]) == ("torn_down", "expired")
    common = {"number", "at_s", "time"}
    assert {key: value for key, value in moved.items() if key not in common} == {
        "event": "time_moved",
        "from": "2026-01-01T00:00:00.000000+00:00",
        "to": "2026-01-01T01:00:00.000000+00:00",
        "advanced_s": 3600,
        "real_from": "2026-01-01T00:00:05.000000+00:00",
        "real_to": "2026-01-01T00:00:05.500000+00:00",
        "wall_s": 0.5,
        "stopped_at": "session-ended",
        "not_played": list(missing),
        "doubtful": list(doubtful),
    }


def test_all_that_was_not_played_is_in_the_log(world: World) -> None:
    """What a test claims of a connection later depends on it: none may be left out."""
    missing = tuple({"what": f"socket {number}"} for number in range(1000))
    world.engine.ask(BeginFastForward(SECOND))
    world.engine.ask(EndFastForward(missing))
    assert world.logged()[-1]["not_played"] == list(missing)


def test_sessions_are_killed_by_number_by_match_and_by_share(world: World) -> None:
    """The answer counts those that were there."""
    world.open_udp(range(1, 11))
    world.open_tcp(1000)

    def kill(**which: Any) -> Any:
        return world.ask("POST", "/sessions/kill", which).json()["sessions"]

    assert kill(ids=[1, 1, 2, 99]) == 2
    assert kill(ids=[]) == 0
    assert kill(match={"port": 3}) == 1
    assert kill(match={"protocol": "tcp"}, notify="reset-both") == 1
    assert len(world.sent) == 2
    assert kill(share=0.5) == 4  # of seven; half of an odd one is rounded to even
    assert kill(match={}) == 3
    assert listed(world) == []


def test_numbers_of_which_there_is_no_session_are_named(world: World) -> None:
    """A script that kills session 999 must not believe that it has."""
    world.open_udp(range(1, 4))
    answer = world.ask("POST", "/sessions/kill", {"ids": [2, 999, 2, 998]}).json()
    assert answer == {"sessions": 1, "missing": [999, 998]}
    assert world.ask("POST", "/sessions/kill", {"match": {"port": 9}}).json() == {
        "sessions": 0, "missing": [],
    }  # fmt: skip


def test_the_log_is_served_line_by_line(world: World) -> None:
    """From any number on."""
    world.open_udp(range(1, 6))
    answer = world.ask("GET", "/events", after=2)
    assert answer.headers["content-type"] == "application/x-ndjson"
    numbers = [orjson.loads(line)["number"] for line in answer.text.splitlines()]
    assert numbers == [3, 4, 5]


def test_statistics_and_metrics_agree(world: World) -> None:
    """Two spellings of the same counters."""
    world.open_udp(range(1, 6))
    statistics = world.ask("GET", "/stats").json()
    assert statistics["sessions"] == {"UDP_UNREPLIED": 5}
    assert statistics["sessions_opened"] == {"udp": 5}
    metrics = world.ask("GET", "/metrics").text
    assert 'fwemu_sessions{protocol="udp",state="UDP_UNREPLIED"} 5.0' in metrics
    assert 'fwemu_sessions_opened_total{protocol="udp"} 5.0' in metrics


def test_what_is_configured_is_what_the_schedule_and_the_log_get() -> None:
    """From the settings to plain data."""
    config = load(
        settings=[
            'flush=[{schedule="0 0 * * *"}, {every="90m"}]',
            'daemon.log_events="denied"',
        ]
    )
    assert flushes(config) == Flushes(("0 0 * * *",), (5400 * 10**9,))
    assert logged(config) == ("denied",)
