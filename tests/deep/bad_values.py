"""What no person types and no browser sends, as it stands in an address or a form: quoted, or broken on purpose."""

from urllib.parse import quote

from hypothesis import strategies as st

VALUES = [
    "", "%00", "a%00b", "%0D%0ASet-Cookie:%20a=b", "%0A", "%1B%5B2J", "%7F", "%C2%85", "%E2%80%A8",  # controls
    "%ED%A0%80", "%ED%BF%BF%ED%A0%80", "%F4%90%80%80", "%C0%AF", "%E0%80%80", "%FF%FE", "%80",
     # no UTF-8: surrogates, too long
    "%", "%%", "%2", "%zz", "%u0041", "%25%30%30", "+%20+",  # broken escapes
    "%EF%BB%BFx", "%E2%80%AEevil", "Z%CC%80%CC%81%CC%82%CC%83" + "%CC%84" * 300, "%F0%9F%92%A5" * 20, "%EF%BF%BF",
    "%D9%A1%D9%A2", "%C2%B2", "%E2%85%A7", "%C4%B0", "%C3%9F", "%EF%BC%91",  # digits and cases of elsewhere
    "0", "-0", "-1", "1.5", "1e9", "1e400", "NaN", "Infinity", "-Infinity", "0x10", "1_000", "+1", "00000001",
    "2147483647", "2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "9" * 40, "9" * 5000, "1" + "0" * 400 + ".5", "0." + "0" * 500 + "1",
    "true", "null", "undefined", "[]", "{}", "%5B%22a%22%5D", "%7B%22a%22:%7B%7D%7D", "on",
    "2026-02-30", "0000-00-00", "9999-12-31", "10000-01-01", "-1-01-01", "2026-11-29T25:61", "1e3-01-01",
    "a" * 300, "a" * 20_000, "%C3%A9" * 5000, "a+" * 3000, "%0A" * 5000, "%2C" * 3000, "*", "%25", "_", "%5C",
    quote("'; DROP TABLE user; --"), quote("' OR '1'='1"), quote("{{7*7}}"), quote("${7*7}"), quote("%(a)s%n%s"),
    quote("{0.__class__}"), quote("../../../../etc/passwd"), quote("..\\..\\x"), quote("//evil.example"),
    quote("https://evil.example/"), quote("javascript:alert(1)"), quote("<script>alert(1)</script>"),
    quote("=cmd|' /C calc'!A0"), quote("a@b@c.d"), quote("@"), quote("a@" + "b." * 120 + "de"),
    quote('"a b"@example.com'),
    quote("a@[127.0.0.1]"), quote("a@xn--.example"), quote("x@example.com\nBcc: y@example.com"), quote(" a "),
    quote("\u00a0"),
]  # fmt: skip

HEADERS = {
    "User-Agent": ["", "\xff\xfe", "x" * 9000, "Mozilla/5.0 (\x01)", "(" * 2000, "Mozilla/" + "9" * 3000],
    "Referer": ["", "\xff", "http://[bad", "//", "javascript:alert(1)", "http://" + "a" * 8000, "http://127.0.0.1:x/"],
    "Origin": ["null", "http://[bad", "\xff", "http://127.0.0.1:99999999999", "a" * 8000],
    "X-Forwarded-For": ["x", "1.2.3.4, " * 500, "[::1", "\xff", "999.999.999.999", "::ffff:1.2.3.4%eth0"],
    "X-Forwarded-Host": ["evil.example", "\xff", ""],
    "X-Forwarded-Prefix": ["/../x", "//evil.example", "\xff"],
    "X-Forwarded-Proto": ["ftp", "\xff"],
    "X-Request-ID": ["\xff", "x" * 9000, "a b"],
    "X-CSRFToken": ["\xff\xff", "A" * 5000, "....", "=", "a.b.c", "\x80" * 70],
    "Cookie": [
        "referralhub=", "referralhub=\xff\xfe", "referralhub=%00", "referralhub=" + "a" * 7000,
        'referralhub="\\377"', ";;;=", "=",
        "referralhub=a; referralhub=b", "__Host-referralhub=x", "session=eyJhIjoxfQ.x.y", "session=.eJw",
        "session=" + "." * 100,
    ],
    "Accept-Language": ["\xff", "de-" * 2000, ";q=", "*;q=9", "x;q=nan", ",,,"],
    "Accept-Encoding": ["\xff", "br;q=x", "gzip;q=" + "9" * 400, "zstd;q=-1,*;q=0", "," * 2000],
    "Accept": ["\xff", "text/html;q=x", ";" * 500],
    "Range": ["bytes=", "bytes=9-1", "bytes=-", "bytes=" + "0-1," * 500, "bytes=99999999999999999999-", "x=1"],
    "If-None-Match": ['"', "W/", '"' + "a" * 5000, "\xff", "*"],
    "If-Modified-Since": ["yesterday", "Thu, 99 Foo 99999 99:99:99 GMT", "\xff", "9" * 400],
    "If-Range": ["\xff", '"x', "x"],
    "Authorization": ["Basic", "Basic !!!", "Bearer \xff", "Bearer", "x" * 8000, 'Digest a="', "Basic /////w=="],
    "HX-Request": ["true", "\xff"],
    "HX-Target": ["\xff", "#x" * 500],
    "HX-Current-URL": ["http://[bad", "\xff"],
    "Sec-Fetch-Mode": ["\xff", "navigate"],
    "Sec-Fetch-Dest": ["\xff", "document"],
    "Purpose": ["prefetch", "\xff"],
    "Expect": ["100-continue", "x"],
    "Content-Length": ["0", "5"],
}  # fmt: skip

BODIES = [  # a kind of content, and what it is said to be
    ("", b"\xff\xfe\x00"), ("text/plain", b"csrf_token=x"), ("application/json", b'{"username": ["a"]'),
    ("application/json", b"\xff"), ("application/xml",
    b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    ("application/x-www-form-urlencoded; charset=utf-7", b"username=+ADw-script+AD4-"),
    ("application/x-www-form-urlencoded; charset=nonsense", b"username=%ff"),
    ("application/x-www-form-urlencoded", b"&".join(b"a%d=b" % n for n in range(5000))),
    ("application/x-www-form-urlencoded", b"a" * 300_000), ("application/x-www-form-urlencoded", b"&=&=&;==&\x00=\xff"),
    ("multipart/form-data", b"--x\r\n"), ("multipart/form-data; boundary=", b"--\r\n"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\na"),
    ("multipart/form-data; boundary=x",
    b"--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"\xff\x00\"\r\n\r\na\r\n--x--"),
    ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: nonsense\r\n\r\n\r\n--x--\r\n"),
    ("multipart/form-data; boundary=x", b"--x\r\n" + b"X: y\r\n" * 5000 + b"\r\n\r\n--x--\r\n"),
    ("multipart/form-data; boundary=x",
    b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n" * 2000 + b"--x--"),
    ("multipart/form-data; boundary=" + "y" * 5000, b"--" + b"y" * 5000),
    ("multipart/form-data; boundary=\xff", b"--\xff--"),
    ("multipart/mixed; boundary=x", b"--x--"), (";;;", b"a=b"), ("\xff/\xff", b"a=b"), ("x" * 5000, b"a=b"),
]  # fmt: skip

FILES = [  # what is sent as a list of addresses or of customers
    b"", b"\x00" * 5000, b"\xff\xfe", b"\xef\xbb\xbf", b"\xff\xfea\x00@\x00b\x00", b'"', b'a,"b\n' * 2000,
    b"a@b.de," * 5000,
    b"a@example.com;99999-99-99\n", b"a@example.com,0000-00-00\n", b"\r" * 5000, b"PK\x03\x04", b"%PDF-1.4",
    b"a@" + b"b" * 100_000,
    b"email,since\n" + b"a@example.com,2026-11-29\n" * 3000, "ä@exämple.com\n".encode("latin-1"),
    "\ud7ff\u2028@x.de".encode(),
]  # fmt: skip

# Anything at all: text with everything that Unicode has, and bytes that are none.
anything = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=60).map(lambda text: quote(text, safe="")),
    st.binary(max_size=40).map(lambda data: quote(data, safe="")),
    st.integers().map(str),
    st.floats().map(str),
    st.from_regex(r"[%+&;=a-f0-9]{0,20}", fullmatch=True),
    st.dates().map(str),
    st.sampled_from(VALUES),
)
