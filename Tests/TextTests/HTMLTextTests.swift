import Testing

@testable import Text

/// The results of Python's `html.unescape`, example by example.
@Suite struct HTMLTextTests {
  @Test(arguments: [
    ("no reference", "no reference"), ("a &amp; b &quot;c&quot;", "a & b \"c\""), ("&ampamp;", "&amp;"),
    ("&lt&gt;", "<>"), ("&notit; &notin; &not", "¬it; ∉ ¬"), ("&NotEqualTilde;", "≂̸"),
    ("&hellip &hellip;", "&hellip …"),
    ("&nosuchname;", "&nosuchname;"), ("&", "&"), ("&;&&", "&;&&"),
    ("&CounterClockwiseContourIntegral;", "∳"),
    ("&amp\(String(repeating: "a", count: 40))", "&\(String(repeating: "a", count: 40))"),
    ("&AMP;&Amp;", "&&Amp;"), ("&\u{212A}scr;", "&\u{212A}scr;"), ("&ltß;", "<ß;"),
  ])
  func replacesNames(_ text: String, unescaped: String) {
    #expect(HTMLText.unescaped(text) == unescaped)
  }

  @Test(arguments: [
    ("&#39;&#x27;&#X27", "'''"), ("&#39a", "'a"), ("&#;&#x;&#xg;", "&#;&#x;&#xg;"),
    ("&#0;&#xD800;&#1114112;", "���"),
    ("&#128;&#x92;&#129;", "€’\u{81}"), ("&#1;&#11;&#xFFFE;&#x1FFFF;&#xFDD0;", ""),
    ("&#9;&#12;&#13;", "\t\u{0C}\r"),
    ("&#99999999999999999999999999;", "�"), ("&#128578;", "🙂"),
  ])
  func replacesNumbers(_ text: String, unescaped: String) {
    #expect(HTMLText.unescaped(text) == unescaped)
  }

  @Test func knowsEveryName() {
    #expect(HTMLEntities.characters.count == 2125)
    #expect(HTMLEntities.legacyNames.count == 106)
    #expect(HTMLEntities.characters.values.allSatisfy { (1...2).contains($0.unicodeScalars.count) })
  }
}
