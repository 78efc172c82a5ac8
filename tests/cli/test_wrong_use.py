"""Commands refuse wrong use at once: exit code 2, a message with the right form, no output."""

import glob

import pytest

from tests.console import split
from tests.rows import each_row

NO_URL = "--url: this is not a URL such as http://127.0.0.1:8765; the token is in FAULTINJECT_TOKEN"
PORT_0 = "port 0 lets the server take a free one: add --url and"
CASES = "--cases plays no plan, so {} has no meaning beside it"
DURATION = "{} is not a duration such as 200ms, 5s, 10m or 1h"
FASTER = "5<=x<=50"


@each_row(
    ("line", "says"),
    [
        ("vendrs", "No such command 'vendrs'. Did you mean 'vendors'?"),
        ("serve --vendr cos", "'--vendor'?"),
        # check
        ("check http:503 --request /apple/a --mount /app", "--mount: the path /apple/a does not begin with the mount"),
        ("check http:503 --request /app/a --mount app", "does not begin with the mount point app; give the whole path"),
        ("check http:503 --mount /app", "--mount needs a request: add --request 'PUT /photos/cat.jpg'"),
        # preview
        ("preview 'cos:SlowDown http:503'", "preview shows one rule, and 2 were given"),
        ("preview ''", "preview shows one rule, and none were given"),
        ("preview -r cos:SlowDown http:503", "preview shows one rule, and 2 were given"),
        ("preview", "preview shows one rule, and none were given"),
        ("preview http:503 --method CONNECT", "faultinject: a CONNECT request never gets a fault\n"),
        # schema
        ("schema jurnal", "faultinject: 'jurnal' is not the name of a schema; did you mean journal?\n"),
        ("schema -o /", "-o: cannot write to /: Is a directory"),
        ("schema league", "'league' is not the name of a schema; there are rules, journal, report\n"),
        # vendors
        ("vendors qiniu", "faultinject: 'qiniu' is not a vendor; did you mean qiniu-mix, kodo or kodo-s3?\n"),
        ("vendors aws --json", "faultinject: 'aws' is not a vendor; did you mean s3?\n"),
        ("vendors cos:SlowDon", "faultinject: cos:SlowDon is not a documented error of cos; did you mean cos:SlowDown?\n"),
        ("vendors 'rgw:Rate Limitet'", "faultinject: rgw:Rate_Limitet is not a documented error of rgw; did you mean rgw:Rate_Limited?\n"),
        ("vendors jss:SlowDown/2 --json", "faultinject: jss:SlowDown/2: jss documents 1 row of SlowDown\n"),
        ("vendors jss:@none", "faultinject: jss:@none is not a group; the groups are @all, @server, @client, @throttle, @retryable\n"),
        # report
        ("report", "JOURNAL"),
        ("report no/such/journal --ignore 'backof grows'", "faultinject: 'backof grows' is not a check; did you mean 'backoff grows'?\n"),
        ("report no/such/journal --require retry-aftr", "faultinject: 'retry-aftr' is not a check; did you mean 'retry-after'?\n"),
        ("report no/such/journal --require retry-after --ignore retry-after", "faultinject: 'retry-after' is both ignored and required\n"),
        ("report tests/audit/cos.jsonl.gz --finished --profile aws-2027", "did you mean aws-2026?"),
        ("report no/such/journal", "no/such/journal"),
        ("report .", "faultinject: cannot read .: Is a directory\n"),
        # explore
        ("explore -r reset -- there-is-no-such-command", "faultinject: there-is-no-such-command: command not found\n"),
        ("explore -r reset", "a command is missing, as in: faultinject explore -r cos -- ./upload.sh"),
        ("explore -- true", "a fault is missing, as in: faultinject explore -r cos -- ./upload.sh"),
        ("explore -r cos:SlowDwn -- true", "did you mean cos:SlowDown?"),
        ("explore -r reset,skip=1 -- true", "explore decides where a fault comes: no skip"),
        ("explore -r reset --vendor acme -- true", "acme"),
        ("explore -r b2 -- true", "faultinject: the embedded store does not speak b2; it speaks azure-blob, bos,"),
        ("explore -r 'reset kodo:608,path=a' -- true", "the embedded store does not speak kodo"),
        ("explore -r cos:SlowDown -r swift -- true", "the embedded store does not speak swift"),
        ("explore --crash -r http:503,vendor=swift -- true", "the embedded store does not speak swift"),
        ("explore -r reset --depth 3 -- true", "3 is not in the range 1<=x<=2"),
        ("explore -r reset --max-runs 0 -- true", "0 is not in the range x>=1"),
        ("explore -r reset -o report.pdf -- true", "--output: report.pdf is not one of FILE.txt, FILE.json, FILE.xml"),
        ("explore -r reset --within nan -- true", DURATION.format("nan")),
        ("explore -r reset --within 30 -- true", "30 has no unit; did you mean 30s?"),
        ("explore -r reset --within 0s -- true", "0s is not above 0"),
        ("explore -r s3:SlowDown --ignore '/********************' -- true", "faultinject: ignore: a pattern of 20 stars; at most 16 are allowed\n"),
        ("FAULTINJECT_ENABLED=0 explore -r reset -- true", "FAULTINJECT_ENABLED=0 switches all faults off"),
        ("APP_ENV=production explore -r reset -- true", "APP_ENV=production looks like production"),
        ("explore --to http://h --recover true -r cos -- true", "--recover is for --crash"),
        ("explore --rewrite-host -r cos -- true", "--rewrite-host is for --to"),
        ("explore --to h -r cos -- true", "--to h is not the URL of a server"),
        ("explore --to http://h -r overwrite -r cos -- true", "overwrite: only the embedded store can do this, and"),
        ("explore -r s3 --again ./job --crash -- true", "--again is for faults alone; with --crash, --recover says what runs again"),
        ("explore -r s3 --again ./job --to http://h -- true", "--again is for the embedded store: what a server at --to holds is not known"),
        ("explore -r s3 --again '' -- true", "--again is empty"),
        ("explore -r s3 --again ./job --vendor kodo -- true", "the embedded store does not speak kodo; it speaks azure-blob,"),
        ("explore --crash --vendor s3 --recover '' -- true", "--recover is empty"),
        ("explore --crash --vendor s3 --replay ' ' -- true", "--replay is empty"),
        ("explore --crash --vendor s3 --depth 2 -- true", "--depth is for faults alone; with --crash, those of -r come in the second run"),
        ("explore --crash --vendor s3 --within inf -- true", DURATION.format("inf")),
        ("explore -r reset --jobs 2 --to http://127.0.0.1:9 -- true", "what a server at --to holds is the same for all runs"),
        ("explore -r reset --jobs 2 --speed 5 -- true", "--jobs is for real time: leave out --speed, or --jobs"),
        # trial
        ("trial", "a command is missing, as in: faultinject trial -- pytest tests"),
        ("trial -- no-such-command", "no-such-command: command not found"),
        ("trial -r s3:Slowdown -- true", "did you mean s3:SlowDown?"),
        # It may be a variable of the shell that is not set.
        *((f"trial -r s3:SlowDown -r '{rule}' -- true", "faultinject: there is no rule: give one, such as 'cos:SlowDown,times=2'\n") for rule in ("", " ; ")),
        ("trial -o x.pdf -- true", "x.pdf"),
        ("trial --app --port 5000 -- true", "with --app there is none"),
        ("trial -r reset --within inf -- true", DURATION.format("inf")),
        ("trial -r reset --within 30 -- true", "30 has no unit; did you mean 30s?"),
        # conformance
        ("conformance --phase denied --deadline 30", "--deadline: 30 has no unit; did you mean 30s?"),
        ("conformance --phase denied --deadline 10ms", "--deadline: less than a second"),
        ("conformance --phase denied --vendor azure", "--vendor: 'azure' is not a vendor; did you mean azure-blob?"),
        ("conformance --phase denied --vendor gateway", "--vendor: gateway is no storage service; there are azure-blob, b2, bos"),
        ("conformance --phase denied --client boto3 --vendor cos", "--vendor cos is for a client of your own; boto3 gets the errors of s3"),
        ("conformance --cases aws-standard-2.1 --vendor cos", "--vendor cos is for a client of your own; boto3 gets the errors of s3"),
        ("conformance --phase x", "Invalid value for '--phase': 'x' is not one of 'cal', 'throttled"),
        ("conformance --client boto", "did you mean boto3?"),
        (r"""conformance --client "sh -c 'x" """, "--client: \"sh -c 'x\" is not a command: No closing quotation"),
        ("conformance -o report.pdf", "--output: report.pdf is not one of FILE.html, FILE.md, FILE.json, FILE.xml"),
        ("conformance --compare none.json", "none.json: No such file or directory"),
        ("conformance --profile none", "none"),
        ("conformance --all --client one", "--all is every SDK; leave out --client"),
        ("FAULTINJECT_ENABLED=0 conformance --client true", "FAULTINJECT_ENABLED=0"),
        ("conformance --client boto3 --phase x-ms-retry-after-ms --phase retry-after-date",
         "faultinject: --phase x-ms-retry-after-ms, retry-after-date: boto3 makes no call of it: s3 has no such fault; name another phase as well\n"),
        ("conformance --client true --speed 4", f"4.0 is not in the range {FASTER}"),
        ("conformance --client true --speed 51", f"51.0 is not in the range {FASTER}"),
        ("conformance --client true --speed 20 --phase retry-after-date", "--phase: retry-after-date needs real time; leave out --speed"),
        ("conformance --client true --speed 20 --cases aws-standard-2.1", CASES.format("--speed")),
        ("conformance --client boto3 --tls --cases aws-standard-2.1", CASES.format("--tls")),
        ("conformance --client boto3 --strict --cases aws-standard-2.1", CASES.format("--strict")),
        ("conformance --client boto3 --cases aws-standard-3", "there is no 'aws-standard-3'; did you mean aws-standard-2.1?"),
        ("conformance --client boto3 --cases google-storage", "--cases google-storage is for clients of gcs, which boto3 is not"),
        # serve, proxy, demo
        ("serve --host 'no host'", "faultinject: the host 'no host' cannot be resolved\n"),
        (f"serve --host {'.' * 300}", f"faultinject: the host '{'.' * 300}' cannot be resolved\n"),
        ("serve --host 203.0.113.7", "faultinject: 203.0.113.7 is not an address of this machine; choose another with --host\n"),
        ("serve --port 70000", "Error: Invalid value for '--port': 70000 is not in the range 0<=x<=65535.\nUsage: faultinject serve [OPTIONS]"),
        ("serve --vendor gateway", "the embedded store does not speak gateway; it speaks azure-blob, bos, cos,"),
        ("serve --vendor qiniu", "faultinject: 'qiniu' is not a vendor; did you mean qiniu-mix, kodo or kodo-s3?\n"),
        ("serve shop:web --vendor cos", "Error: --vendor is for the embedded store; an app is served as it is\nUsage: faultinject serve [OPTIONS]"),
        ("serve --file nowhere.toml", "faultinject: nowhere.toml: there is no such file\n"),
        ("FAULTINJECT_ENABLED=0 serve -r http:503", "faultinject: FAULTINJECT_ENABLED=0 switches all faults off; unset it\n"),
        ("FAULTINJECT_SED=0 serve -r http:503", "faultinject: FAULTINJECT_SED is not a variable of faultinject; did you mean FAULTINJECT_SEED?\n"),
        ("serve photos:app -r overwrite,method=GET", "faultinject: overwrite,method=GET: only the embedded store can do this, and photos:app answers here\n"),
        ("FAULTINJECT_CONTROL=0.0.0.0:1 serve", "FAULTINJECT_CONTROL: 0.0.0.0 is not loopback"),
        ("serve --control 0.0.0.0:1", "FAULTINJECT_CONTROL: 0.0.0.0 is not loopback"),
        ("proxy", "Missing option '--to'"),
        ("proxy --to h:9", "faultinject: --to h:9 is not the URL of a server, such as http://127.0.0.1:9000; did you mean http://h:9?"),
        ("proxy --to http://h/p", "faultinject: --to http://h/p: leave out the part after the host"),
        ("proxy --to http://h -r cos:Slowdown", "did you mean cos:SlowDown?"),
        ("proxy --to http://h --vendor coss", "coss"),
        ("proxy --to http://h --vendor cos -r drip,of=cos:Slowdown", "did you mean cos:SlowDown?"),
        ("proxy --to http://h -r stale", "faultinject: stale: only the embedded store can do this, and http://h answers here"),
        ("proxy --to http://h --vendor gateway", "faultinject: gateway is not a storage vendor"),
        ("proxy --to http://h --port 0 --host nowhere.invalid", "the host 'nowhere.invalid' cannot be resolved"),
        (f"proxy --to http://h:9 --port 9 --host {'h' * 64}", f"the host '{'h' * 64}' cannot be resolved"),
        ("FAULTINJECT_ENABLED=0 demo", "faultinject: FAULTINJECT_ENABLED=0 switches all faults off; unset it\n"),
        # control
        ("FAULTINJECT_TOKEN=T control status", "faultinject: the address of the control API is missing: add --url http://127.0.0.1:8765, or set"),
        ("FAULTINJECT_TOKEN=T FAULTINJECT_CONTROL=/_x control status", "faultinject: FAULTINJECT_CONTROL: /_x is a path of the app: add --url http://HOST:PORT/_x"),
        ("control status --url http://h", "faultinject: FAULTINJECT_TOKEN is not set: set it to the server's token, which is in the server's log if nobody chose one. A server has no control API unless it was started with `--control` or FAULTINJECT_CONTROL\n"),
        ("'FAULTINJECT_TOKEN=A\\nB' control status --url http://h", "faultinject: FAULTINJECT_TOKEN: a token has visible ASCII"),
        ("'FAULTINJECT_TOKEN=a=T,b=U' control status --url http://h", "faultinject: FAULTINJECT_TOKEN: it has several tokens: set it to your own"),
        ("FAULTINJECT_TOKEN=T control status --url ftp://h", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url http://h:65536", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url http://127.0.0.1:65535", "faultinject: nothing listens on 127.0.0.1:65535"),
        ("FAULTINJECT_TOKEN=T control status --url http://h:x", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url 'http://[::1'", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url 'http://h/a b'", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url 'http://a b/'", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url http://h/é", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url ftp://u:secret@h", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url http://", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url http://u:secret@h", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url http://h/?token=secret", NO_URL),
        ("FAULTINJECT_TOKEN=T control status --url http://h:0", f"faultinject: --url: {PORT_0}"),
        ("FAULTINJECT_TOKEN=T FAULTINJECT_CONTROL=127.0.0.1:0 control status", f"faultinject: FAULTINJECT_CONTROL: {PORT_0}"),
        ("FAULTINJECT_TOKEN=T FAULTINJECT_CONTROL=8765 control status", "FAULTINJECT_CONTROL: 8765 is neither a path nor an address; did you mean 127.0.0.1:8765?"),
        # convert
        ("convert", "give FILE, the configuration of another tool, or with --to the proxy whose configuration to write"),
        ("convert --to envoy", "there is no rule: give one by -r or --file, or in FAULTINJECT_RULES"),
        ("convert a.json -r reset", "give either FILE of another tool, in JSON, or rules by -r and --file"),
        ("convert rules.toml --to envoy", "give either FILE of another tool, in JSON, or rules by -r and --file"),
        ("convert --to envoy -r reset --listen 'a b:1'", "--listen: a b:1 is not a host and a port such as 127.0.0.1:8080"),
        ("convert --to envoy -r reset --upstream 'a;b:80'", "--upstream: a;b:80 is not"),
        ("convert --to envoy -r reset --upstream a:0", "--upstream: a:0 is not"),
        ("convert --to envoy -r reset --upstream a:65536", "--upstream: a:65536 is not"),
        ("convert --to envoy -r resett", "did you mean reset"),
        ("convert /no/such/file", "/no/such/file: No such file or directory"),
        ("convert --to envoy -r reset -o /no/such/file", "-o: cannot write to /no/such/file: No such file or directory"),
        # report
        ("report journal.jsonl -o report.pdf", "--output: report.pdf is not one of FILE.txt, FILE.html, FILE.json, FILE.xml, FILE.md, FILE.sarif, FILE.github"),
        # learn
        ("learn /no/such/log", "faultinject: /no/such/log: No such file or directory\n"),
        ("learn .", "faultinject: .: Is a directory\n"),
    ],
)  # fmt: skip
def test_wrong_use(refused, line, says):
    """Nothing is started, read or waited for; a secret in what was given is not repeated."""
    environ, words = split(line)
    told = refused(*words, env=environ)
    assert says in told
    assert says == says.strip() or told.endswith(says)
    assert "secret" not in told


@pytest.mark.parametrize(
    "command", ["conformance --client true", "explore -r reset -- true", "trial -- true"]
)
def test_libfaketime_is_missing(refused, monkeypatch, command):
    """The message says what installs libfaketime, and nothing is run."""
    monkeypatch.setattr(glob, "glob", lambda *_, **__: [])
    name, *words = command.split()
    told = refused(name, "--speed", "20", *words)
    assert "--speed needs libfaketime (Linux; Debian: apt-get install faketime)" in told
