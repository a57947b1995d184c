"""What tries to become markup, a script, an address or a formula, wherever it is shown."""

_ESCAPES = ["", '">', "'>", "</textarea></title></script></style>", "--><!--><svg><title>"]
_MARKUP = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg onload=alert(1)>", "<svg/onload=alert(1)//",
    "<body onload=alert(1)>", "<iframe src=javascript:alert(1)>", "<a href=javascript:alert(1)>x</a>",
    "<details open ontoggle=alert(1)>", "<input autofocus onfocus=alert(1)>", "<video><source onerror=alert(1)>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>", "<object data=javascript:alert(1)>",
    "<form action=//evil.example><button>x", "<base href=//evil.example>", "<link rel=stylesheet href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>", "<style>*{background:url(//evil.example)}</style>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">', "<plaintext>",
    "<template><script>alert(1)</script>",
    '<!--<img src="--><img src=x onerror=alert(1)>">', "<![CDATA[<script>alert(1)</script>]]>", "<select><option><b>x",
    "<x hx-get=/logout hx-trigger=load>", "<div hx-on:click=alert(1)>", "<hx-partial hx-target=body>x</hx-partial>",
    "<p><table><tr><td></table></p></div></main></body></html>x",
]  # fmt: skip
_OTHERS = [
    '" onmouseover="alert(1)', "' onmouseover='alert(1)", '" autofocus onfocus=alert(1) x="',
    "x onload=alert(1)", "` onx=`",
    "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "data:text/html,<script>alert(1)</script>",
    "//evil.example/", "\\\\evil.example\\", "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)", "&quot;><b>",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-", "\uff1cscript\uff1ealert(1)", "\\u003cscript\\u003e",
    "<scr\0ipt>alert(1)</script>",
    "%3Cscript%3Ealert(1)%3C/script%3E", "{{7*7}}{% print 1 %}", "${7*7}#{7*7}<%= 7*7 %>", "]]><b>x",
    "\u2028<b>\u2029</b>",
    "=HYPERLINK(\"//evil.example\";\"x\")", "@SUM(1+1)*cmd|' /C calc'!A0", "+1+cmd", "-1+cmd", "\t=1+1",
    "<<script>script>alert(1)",
    "> quoted: http://localhost/x", "Press here: http://localhost/logout",
]  # fmt: skip
INJECTIONS = [escape + markup for escape in _ESCAPES for markup in _MARKUP] + _OTHERS
