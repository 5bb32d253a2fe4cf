"""What the page says of a model, from its card; tests/deploy/test_web_page.py opens it."""

from tfhrf.recognition import page
from tfhrf.recognition.packaged import pretrained

CARD = """\
# small

The summary,
of two lines.

|  |  |
| --- | --- |
| made by | `a < b & c` |

## Figures

**Of** models
of two lines.

|  | UA |
| --- | --- |
| int8 | 0.5 |

Thanks.

## Not for

<script>
"""


def test_a_card_is_its_headings_paragraphs_and_tables():
    facts = '<tr><th scope="row">made by</th><td><code>a &lt; b &amp; c</code></td></tr>'
    head = '<tr><td></td><th scope="col">UA</th></tr>'
    row = '<tr><th scope="row">int8</th><td>0.5</td></tr>'
    assert page.to_html(CARD) == "\n".join(
        [
            "<section>",
            "<h2>The model</h2>",
            f'<div class="wide"><table>{facts}</table></div>',
            "</section>",
            "<section>",
            "<h2>Figures</h2>",
            "<p><b>Of</b> models of two lines.</p>",
            f'<div class="wide"><table>{head}{row}</table></div>',
            "<p>Thanks.</p>",
            "</section>",
            "<section>",
            "<h2>Not for</h2>",
            "<p>&lt;script&gt;</p>",
            "</section>",
        ]
    )
    assert page.to_html("# small\n\nThe summary.\n") == ""


def test_the_packaged_card_says_what_the_model_must_not_be_used_for():
    text = page.to_html(pretrained().card)
    assert text.count("<h2>") == text.count("<section>") == 5
    assert "<h2>What it must not be used for</h2>\n<p>For no decision about a person" in text
    assert "Licence: CC0 1.0." in text
    assert "**" not in text
    assert "|" not in text


def test_without_a_card_the_page_says_so():
    assert "It has no card" in page.to_html(page.NO_CARD)
