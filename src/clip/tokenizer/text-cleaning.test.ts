import { describe, expect, it } from 'vitest'
import { htmlUnescape } from './html-unescape.ts'
import { cleanText } from './text-cleaning.ts'

// Expected texts follow ftfy 6's and Python's documented rules.
describe('cleanText', () => {
  it.each([
    ['white space', '  A\t\tB\n C \u3000\u00a0d ', 'a b c d'],
    ['decomposed accents', 'cafe\u0301', 'café'],
    ['curly quotes', '“it’s”', '"it\'s"'],
    ['ligatures', 'ﬁne ﬀ Ĳ', 'fine ff ij'],
    ['full-width letters', 'ＣＯＯＰ！', 'coop!'],
    ['half-width katakana', 'ｶﾞ', 'ガ'],
    ['control characters', 'a\u0000b\u200bc\ufeffd\u001b[31me', 'ab\u200bcde'],
    ['C1 controls', 'a\u0093b\u0094 \u0085', 'a"b" …'],
    ['references', '&lt;b&gt; &amp;amp; &eacute; &EACUTE; &#233; &#xe9;', '<b> & é é é é'],
    ['references beside a tag: ftfy leaves them, two rounds of HTML follow', '<b>&amp;amp;amp;', '<b>&amp;'],
    ['lone surrogate', 'a\ud800b', 'a\ufffdb'],
    ['upper case', 'ÀÉÎ STRASSE ΣΑΣ', 'àéî strasse σας'],
  ])('%s', (_, text, cleaned) => expect(cleanText(text)).toBe(cleaned))
})

describe('htmlUnescape', () => {
  // What Python 3.11's html.unescape gives.
  it.each([
    ['&notit;', '¬it;'],
    ['&amp', '&'],
    ['&ampx', '&x'],
    ['&copy2012', '©2012'],
    ['&bogus;', '&bogus;'],
    ['&&lt;', '&<'],
    ['&#39;', "'"],
    ['&#x80;', '€'],
    ['&#0;', '\ufffd'],
    ['&#55296;', '\ufffd'],
    ['&#1114112;', '\ufffd'],
    ['&#xfffe;', ''],
    ['&#11;', ''],
    ['&NotEqualTilde;', '≂̸'],
    ['&fjlig;', 'fj'],
    ['R&B', 'R&B'],
  ])('%s', (text, unescaped) => expect(htmlUnescape(text)).toBe(unescaped))
})
