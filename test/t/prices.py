"""AWS's price list as rows, and the table that keeps it: sagemaker_training_prices and sagemaker_fdw_refresh_prices.

Run below test/with-service.  The endpoint recorded its rates when it made its list (test/service/prices.py).
"""
import decimal
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "service"))
import prices  # noqa: E402
from harness import HISTORY, TLS_URL, URL, Session, control, counters, fault, main, make_server, wait_for  # noqa: E402

COLUMNS = ("region", "charge", "instance_type", "usage_type", "operation", "price", "currency", "unit", "effective_date", "sku",
           "rate_code", "description", "attributes")
COMMERCIAL = ["us-east-1", "us-west-2", "eu-west-1", "us-gov-west-1"]
KEPT = "SELECT count(*), count(DISTINCT first_seen_at), count(withdrawn_at) FROM reports.training_prices"
CUT = {"effective_date": "2025-07-01T00:00:00Z", "percent": 30, "instance_types": ["ml.m5.large"]}


def array(regions):
    return "ARRAY[%s]::text[]" % ", ".join("NULL" if region is None else "'%s'" % region for region in regions)


def rates(session, server, regions):
    """The function's rows, in the format of the endpoint's record."""
    rows = session.run("SELECT jsonb_build_object('price', price::text, 'effective_date', to_char(effective_date, "
                       "'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')) || (to_jsonb(p) - 'price' - 'effective_date') "
                       "FROM sagemaker_training_prices('%s', %s) AS p" % (server, array(regions)))
    return [json.loads(row) for row in rows]


def sorted_rates(rows):
    return sorted(rows, key=lambda rate: json.dumps(rate, sort_keys=True))


def expected(regions, cut=None):
    return sorted_rates(rate for region in regions for rate in prices.expected_rates(region, cut))


def failure(session, statement):
    """(SQLSTATE, the lines of the error) of a statement that fails."""
    lines, state = session.ask(statement)
    return state, [line for line in lines if not line.startswith("CONTEXT")]


def test_rates(session, tap):
    """For a correct client: all its rows and no others."""
    found = rates(session, "sm", ["us-east-1"])
    tap.equal(sorted_rates(found), expected(["us-east-1"]), "the rates of a region")
    tap.equal({tuple(rate) for rate in found}, {tuple(sorted(COLUMNS, key=lambda name: (len(name), name)))}, "... with all columns")
    tap.equal(control("calls"), "GetProducts=18", "... with a walk of 18 pages")
    tap.equal(sorted_rates(rates(session, "sm", COMMERCIAL)), expected(COMMERCIAL), "the rates of four regions")
    tap.equal(control("calls"), "GetProducts=72", "... with one walk each")
    tap.equal(sorted_rates(rates(session, "sm", ["eu-west-1", "us-west-2", "eu-west-1"])), expected(["eu-west-1", "us-west-2"]),
              "a region that is named twice counts once")
    tap.equal(control("calls"), "GetProducts=36", "... and costs one walk")
    tap.equal(session.run("SELECT count(*), min(region), max(region) FROM sagemaker_training_prices('sm')"),
              ["%d|us-east-1|us-east-1" % len(expected(["us-east-1"]))], "without a region, the server's own")
    tap.equal(session.run("SELECT pg_typeof(price)::text, price, pg_typeof(effective_date)::text FROM sagemaker_training_prices('sm') "
                          "WHERE instance_type = 'ml.c4.2xlarge' AND charge = 'training'"),
              ["numeric|0.4000678901|timestamp with time zone"], "a price with ten decimals is exact")
    tap.equal(session.run("SELECT charge, instance_type IS NULL, unit FROM sagemaker_training_prices('sm') WHERE charge LIKE '%storage' "
                          "ORDER BY 1"), ["storage|t|GB-Mo", "warm pool storage|t|GB-Mo"], "storage has no instance type")
    make_server(session, "china", pricing_endpoint_url=URL)
    session.run("ALTER SERVER china OPTIONS (SET region 'cn-north-1')")
    tap.equal(sorted_rates(rates(session, "china", ["cn-northwest-1"])), expected(["cn-northwest-1"]), "China's rates are in its currency")
    control("calls")


def test_at_once(session, tap):
    """Regions are walked concurrently."""
    control("reset", {})
    control("config", {"latency_ms": 20})
    rates(session, "sm", COMMERCIAL)
    tap.equal(counters()["most_in_flight"], 4, "four regions make four calls at a time")
    session.run("ALTER SERVER sm OPTIONS (ADD max_concurrency '2')")
    control("reset", {})
    control("config", {"latency_ms": 20})
    tap.equal(sorted_rates(rates(session, "sm", COMMERCIAL)), expected(COMMERCIAL), "two at a time return the same")
    tap.equal(counters()["most_in_flight"], 2, "... and make two calls at a time")
    session.run("ALTER SERVER sm OPTIONS (DROP max_concurrency)")
    control("config", {"latency_ms": 0})


def test_regions(session, tap):
    """Invalid regions, and regions without prices."""
    ask = "SELECT count(*) FROM sagemaker_training_prices('sm', %s)"
    form = "HINT:  A region is written like us-east-1 or us-gov-west-1."
    tap.equal(failure(session, ask % "ARRAY['US-EAST-1']"), ("22023", ['ERROR:  "US-EAST-1" is not an AWS region', form]), "capitals")
    tap.equal(failure(session, ask % array(["us-east-1", None])), ("22023", ["ERROR:  a region must not be NULL", form]), "NULL")
    tap.equal(failure(session, ask % array([])), ("22023", [
        "ERROR:  no region is given", 'HINT:  Name AWS regions, or leave "regions" out for the server\'s own.']), "no region")
    tap.equal(failure(session, "SELECT * FROM sagemaker_training_prices(NULL)"),
              ("22004", ["ERROR:  the server must not be NULL"]), "no server")
    control("calls")
    tap.equal(session.run(ask % array(["us-east-9"])), [
        'WARNING:  AWS\'s price list has no prices of training jobs for region "us-east-9"',
        "HINT:  Check the region's name, and that its partition is the one of the server's credentials.", "0"],
        "a region that does not exist has no rows, and a WARNING")
    tap.equal(control("calls"), "GetProducts=1", "... after a call")
    make_server(session, "gov")
    session.run("ALTER SERVER gov OPTIONS (SET region 'us-gov-west-1')")
    tap.equal(failure(session, "SELECT * FROM sagemaker_training_prices('gov')"), ("22023", [
        'ERROR:  server "gov" has no usable endpoint',
        "DETAIL:  AWS GovCloud has no Price List API. Ask for its prices through a server with credentials of a commercial account, "
        "with regions => ARRAY['us-gov-west-1']."]), "GovCloud has no such API")


def test_refused(session, tap):
    """The service rejects calls."""
    make_server(session, "denied", keys=("AKIDDENIED0000000001", "secret/of+the/denied/account0000000000001"), pricing_endpoint_url=URL)
    state, lines = failure(session, "SELECT * FROM sagemaker_training_prices('denied', ARRAY['us-west-2'])")
    tap.equal((state, lines[0], lines[-1]), (
        "42501", 'ERROR:  AWS denies GetProducts to the credentials for server "denied"',
        "HINT:  Allow pricing:GetProducts in the IAM policy. The call was made in region us-east-1: if a policy denies that region, set "
        "pricing_endpoint_url to another host of the API, such as https://api.pricing.ap-south-1.amazonaws.com."), "denied")
    tap.ok(lines[1].startswith('DETAIL:  GetProducts of region "us-west-2": AccessDenied'), "... for a region that is named", lines)
    ask = "SELECT count(*) FROM sagemaker_training_prices('sm', %s)" % array(["us-east-1", "us-west-2"])
    fault(kind="error", operation="GetProducts", contains='"us-west-2"', status=500, code="InternalFailure", message="down", times=100)
    session.run("ALTER SERVER sm OPTIONS (ADD max_attempts '2')")
    state, lines = failure(session, ask)
    tap.equal((state, lines[0]), ("HV000", "ERROR:  GetProducts failed"), "a region that fails is an error, not a region without rows")
    tap.ok(lines[1].startswith('DETAIL:  GetProducts of region "us-west-2": InternalFailure: down.'), "... that names the region", lines)
    control("clear", {})
    session.run("ALTER SERVER sm OPTIONS (DROP max_attempts)")
    tap.equal(failure(session, "SET sagemaker_fdw.max_calls = 20; " + ask)[1], [
        "ERROR:  the scan has made 20 calls, which is the limit", "HINT:  Name fewer regions, or raise sagemaker_fdw.max_calls."],
        "max_calls limits it")
    session.run("RESET sagemaker_fdw.max_calls")


def test_tokens(session, tap):
    """A token that expires during a walk restarts that region's walk."""
    regions = ["us-east-1", "us-west-2"]
    for code in ("ExpiredNextTokenException", "InvalidNextTokenException"):
        control("calls")
        # the first answer after the third page of a region
        fault(kind="error", operation="GetProducts", contains='"us-west-2"', skip=3, status=400, code=code, message="gone", times=1)
        tap.equal(sorted_rates(rates(session, "sm", regions)), expected(regions), "%s: all rates, each once" % code)
        tap.equal(control("calls"), "GetProducts=40", "... with four more calls")
    control("calls")
    fault(kind="expire_tokens", operation="GetProducts", contains='"NextToken"', skip=5, times=1)
    tap.equal(sorted_rates(rates(session, "sm", ["us-east-1"])), expected(["us-east-1"]), "all tokens of a region expire: all rates")
    fault(kind="error", operation="GetProducts", contains='"NextToken"', status=400, code="ExpiredNextTokenException", message="gone", times=9)
    control("calls")
    state, lines = failure(session, "SELECT * FROM sagemaker_training_prices('sm')")
    tap.equal((state, lines[0], control("calls")), ("HV000", "ERROR:  GetProducts failed", "GetProducts=8"), "tokens that always expire are an error")
    control("clear", {})


def test_pace(session, tap):
    """The price list's own quota is respected."""
    control("config", {"rate_limit": {"GetProducts": [50, 10]}})
    tap.equal(sorted_rates(rates(session, "sm", ["us-east-1"])), expected(["us-east-1"]), "all rates, though calls are throttled")
    control("config", {"rate_limit": 0})
    control("calls")
    tap.equal(session.run("SELECT sagemaker_fdw_stats_reset()")[:1], [""], "statistics start anew")
    rows = len(rates(session, "sm", ["us-east-1"]))
    tap.equal(session.run("SELECT server, region, operation, calls, rows FROM sagemaker_fdw_stats WHERE operation = 'GetProducts'"),
              ["sm|us-east-1|GetProducts|18|%d" % rows], "they count GetProducts: its calls and rates")
    control("calls")


def test_cancel(session, tap):
    """A cancel ends it at once."""
    control("config", {"latency_ms": 60000})
    control("calls")
    session.send("SELECT count(*) FROM sagemaker_training_prices('sm')")
    wait_for(lambda: counters()["in_flight"] == 1, "the first call")
    other = Session()
    other.run("SELECT pg_cancel_backend(%d)" % session.pid)
    other.close()
    tap.equal(session.receive()[1], "57014", "a cancel while the first page is in flight")
    control("config", {"latency_ms": 0})
    tap.equal(len(rates(session, "sm", ["us-east-1"])), len(expected(["us-east-1"])), "... and the next call works")


def test_rights(session, tap):
    """Who may call it."""
    session.run("CREATE ROLE stranger; GRANT USAGE ON FOREIGN SERVER sm TO stranger; SET ROLE stranger")
    tap.equal(failure(session, "SELECT * FROM sagemaker_training_prices('sm')"),
              ("42501", ["ERROR:  permission denied for function sagemaker_training_prices"]), "EXECUTE is needed")
    session.run("RESET ROLE; GRANT EXECUTE ON FUNCTION sagemaker_training_prices TO stranger; REVOKE USAGE ON FOREIGN SERVER sm FROM stranger; "
                "SET ROLE stranger")
    tap.equal(failure(session, "SELECT * FROM sagemaker_training_prices('sm')"),
              ("42501", ["ERROR:  permission denied for foreign server sm"]), "and USAGE on the server")
    session.run("RESET ROLE; DROP OWNED BY stranger; DROP ROLE stranger")


def notice(session, call):
    """The NOTICE of a refresh."""
    lines = session.run("SET client_min_messages = notice; %s; SET client_min_messages = warning" % call)
    tap_lines = [line for line in lines if line.startswith("NOTICE")]
    assert len(lines) == len(tap_lines) == 1, lines
    return lines[0][len("NOTICE:  "):]


def test_kept(session, tap):
    """Prices are kept, not replaced."""
    call = "CALL sagemaker_fdw_refresh_prices('reports.training_prices', server => 'sm', regions => ARRAY['us-east-1','eu-west-1'])"
    total = len(expected(["us-east-1", "eu-west-1"]))
    session.run("CREATE SCHEMA reports")
    tap.equal(notice(session, call), "prices in reports.training_prices: %d new, 0 withdrawn, 0 unchanged, of 2 regions; 36 calls" % total,
              "the first refresh creates the table")
    tap.equal(notice(session, call), "prices in reports.training_prices: 0 new, 0 withdrawn, %d unchanged, of 2 regions; 36 calls" % total,
              "the second refresh changes nothing")
    tap.equal(session.run(KEPT), ["%d|1|0" % total], "... nor any row of the table")
    cut = len([rate for rate in expected(["us-east-1", "eu-west-1"]) if rate["instance_type"] == "ml.m5.large"])
    control("config", {"price_cut": CUT})
    tap.equal(notice(session, call), "prices in reports.training_prices: %d new, %d withdrawn, %d unchanged, of 2 regions; 36 calls"
              % (cut, cut, total - cut), "a price cut adds prices")
    tap.equal(session.run(KEPT), ["%d|2|%d" % (total + cut, cut)], "... and keeps the earlier ones")
    prices_kept = session.run("SELECT price, effective_date, withdrawn_at IS NOT NULL FROM reports.training_prices WHERE region = 'us-east-1' "
                              "AND charge = 'training' AND instance_type = 'ml.m5.large' ORDER BY effective_date")
    tap.equal(prices_kept, ["0.1150000000|2025-06-01 00:00:00+00|t", "%s|2025-07-01 00:00:00+00|f"
                            % (decimal.Decimal("0.115") * 70 / 100).quantize(decimal.Decimal("1e-10"))], "... of one type, for example")
    control("config", {"price_cut": None})
    tap.equal(notice(session, call), "prices in reports.training_prices: %d new, %d withdrawn, %d unchanged, of 2 regions; 36 calls"
              % (cut, cut, total - cut), "a price that comes back is new again")
    tap.equal(session.run(KEPT), ["%d|2|%d" % (total + cut, cut)], "... in its earlier row")
    tap.equal(notice(session, "CALL sagemaker_fdw_refresh_prices('reports.training_prices', 'sm')"),
              "prices in reports.training_prices: 0 new, 0 withdrawn, %d unchanged, of 1 region; 18 calls" % len(expected(["us-east-1"])),
              "other regions' prices do not change")


def test_kept_whole(session, tap):
    """A refresh does all or nothing, and two do not run at once."""
    call = "CALL sagemaker_fdw_refresh_prices('reports.training_prices', 'sm', ARRAY['us-east-1','us-west-2'])"
    before = session.run(KEPT)
    fault(kind="error", operation="GetProducts", contains='"us-west-2"', skip=17, status=400, code="ValidationException", message="no", times=1)
    state, lines = failure(session, call)
    tap.equal((state, lines[0], session.run(KEPT)), ("HV000", "ERROR:  GetProducts failed", before), "the last page fails: nothing is stored")
    control("clear", {})
    tap.equal(session.run("SET client_min_messages = warning; CALL sagemaker_fdw_refresh_prices('reports.training_prices', 'sm', ARRAY['us-east-9'])")[:1],
              ['WARNING:  AWS\'s price list has no prices of training jobs for region "us-east-9"'], "a region without prices")
    tap.equal(session.run(KEPT), before, "... withdraws none")
    control("config", {"latency_ms": 20})
    others = [Session(session.database), Session(session.database)]
    for other in others:
        other.send("CALL sagemaker_fdw_refresh_prices('reports.more_prices', 'sm')")
    states = sorted(other.receive()[1] for other in others)
    control("config", {"latency_ms": 0})
    tap.ok(states in (["00000", "00000"], ["00000", "55P03"]), "of two at once, one waits for the other or is rejected", states)
    tap.equal(session.run("SELECT count(*) FROM reports.more_prices"), ["%d" % len(expected(["us-east-1"]))], "... and each rate is stored once")
    for other in others:
        other.close()


def test_targets(session, tap):
    """What a refresh may write to."""
    call = "CALL sagemaker_fdw_refresh_prices(%s, 'sm')"
    control("calls")
    session.run("CREATE TABLE reports.other (region text)")
    state, lines = failure(session, call % "'reports.other'")
    tap.equal((state, lines[0], lines[-1]), ("42809", "ERROR:  target reports.other is not a table of prices",
                                             "HINT:  Name a table that does not exist yet: it is created."), "another table")
    tap.equal(failure(session, call % "NULL")[0], "22004", "no target")
    tap.equal(failure(session, call % "'nowhere.prices'")[0], "3F000", "a schema that does not exist")
    session.run("CREATE ROLE thief; CREATE TABLE reports.lure (LIKE reports.training_prices INCLUDING ALL); ALTER TABLE reports.lure OWNER TO thief")
    state, lines = failure(session, call % "'reports.lure'")
    tap.equal((state, lines[0]), ("42501", 'ERROR:  target reports.lure belongs to role "thief"'), "a superuser does not write to another role's table")
    tap.equal(control("calls"), "none", "... and none of these made a call")
    session.run("DROP TABLE reports.lure; DROP ROLE thief")


def page(items, token=""):
    """A page of the list as a fault's body."""
    return {"FormatVersion": "aws_v1", "PriceList": items, "NextToken": token}


def item(number, dimensions):
    """An item with so many training rates."""
    sku = "SKU%d" % number
    return json.dumps({
        "product": {"sku": sku, "attributes": {"usagetype": "USE1-Train:ml.m5.large", "regionCode": "us-east-1"}},
        "terms": {"OnDemand": {"t": {"effectiveDate": "2024-01-01T00:00:00Z", "priceDimensions": {
            str(n): {"unit": "Hrs", "rateCode": "%s.t.%d" % (sku, n), "description": "x", "pricePerUnit": {"USD": "0.5"}}
            for n in range(dimensions)}}}}})


def test_odd_pages(session, tap):
    """An invalid page of prices is an error, and withdraws no price."""
    call = "CALL sagemaker_fdw_refresh_prices('reports.training_prices', 'sm')"
    before = session.run(KEPT)
    for body, message in (({"FormatVersion": "aws_v1"}, "response of GetProducts lacks PriceList"),
                          ({"PriceList": None, "NextToken": ""}, "response of GetProducts lacks PriceList"),
                          ({"PriceList": {}}, "response of GetProducts has a PriceList that is not a list"),
                          (page(['{"cut'] * 5000), "most items of GetProducts cannot be read")):
        fault(kind="body", operation="GetProducts", body=body, skip=4, times=1)
        state, lines = failure(session, call)
        tap.equal((state, lines[0], session.run(KEPT)), ("08P01", "ERROR:  " + message, before), message)
    control("clear", b"")
    session.run("ALTER SERVER sm OPTIONS (ADD max_response_size '64MB')")
    many = "SELECT count(*), count(DISTINCT rate_code) FROM sagemaker_training_prices('sm')"
    fault(kind="body", operation="GetProducts", body=page([item(1, 100000)]), times=1)
    tap.equal(session.run(many), ["100000|100000"], "100,000 rates of an item")
    control("clear", b"")
    session.run("ALTER SERVER sm OPTIONS (DROP max_response_size)")
    fault(kind="body", operation="GetProducts", body=page([item(1, 1)], "again"), times=3)
    state, lines = failure(session, "SELECT * FROM sagemaker_training_prices('sm')")
    tap.equal((state, lines[0]), ("08P01", "ERROR:  pages of GetProducts repeat"), "a token that is repeated")
    control("clear", b"")


def test_stand_in(session, tap):
    """A schema's owner cannot substitute a table of his own for one that a refresh waits for."""
    session.run("CREATE ROLE mallory; CREATE SCHEMA lent; ALTER SCHEMA lent OWNER TO mallory; GRANT CREATE ON DATABASE %s TO mallory; "
                "CREATE TABLE lent.p (LIKE reports.training_prices INCLUDING ALL)" % session.database)
    holder, other = Session(session.database), Session(session.database)
    holder.run("BEGIN; LOCK TABLE lent.p")
    session.send("CALL sagemaker_fdw_refresh_prices('lent.p', 'sm')")
    other.run("SET ROLE mallory")
    wait_for(lambda: other.run("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'lent.p'::regclass") == ["1"], "the refresh waits")
    other.run("ALTER SCHEMA lent RENAME TO moved; CREATE SCHEMA lent; CREATE TABLE lent.p (region text)")
    holder.run("ROLLBACK")
    tap.equal(session.receive()[1], "00000", "a refresh whose target's schema is renamed while it waits")
    tap.equal(session.run("SELECT (SELECT count(*) FROM moved.p), (SELECT count(*) FROM lent.p)"),
              ["%d|0" % len(expected(["us-east-1"]))], "... writes to the intended table")
    holder.close()
    other.close()
    session.run("DROP SCHEMA lent, moved CASCADE; DROP OWNED BY mallory; DROP ROLE mallory")


def test(session, tap):
    make_server(session, "sm", pricing_endpoint_url=URL)
    for part in (test_rates, test_at_once, test_regions, test_refused, test_tokens, test_pace, test_cancel, test_rights, test_kept,
                 test_kept_whole, test_targets, test_odd_pages, test_stand_in):
        part(session, tap)
    make_server(session, "tls", pricing_endpoint_url=TLS_URL, ca_bundle=os.environ["SAGEMAKER_FDW_TEST_CA"])
    tap.equal(len(rates(session, "tls", ["us-east-1"])), len(expected(["us-east-1"])), "over TLS")


main(test)
