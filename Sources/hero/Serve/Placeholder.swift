import Formats

/// A picture for a video without one: a color of its own and the initials of its name.
enum Placeholder {
  static func svg(of name: String) -> String {
    let hash = ContentHash.of(Array(name.utf8))
    let hue = Int(hash % 360)
    let words = name.split { !$0.isLetter && !$0.isNumber }.prefix(2)
    let letters = words.compactMap(\.first).map { String($0).uppercased() }.joined()
    let bars = (0..<12).map { bar in
      let height = 14 + Int(hash >> UInt64(4 * bar) & 15) * 4
      return "<rect x=\"\(20 + bar * 24)\" y=\"\(180 - height)\" width=\"14\" height=\"\(height)\" rx=\"3\"/>"
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 180" role="img">\
      <defs><linearGradient id="g" x1="0" y1="0" x2="1" y2="1">\
      <stop stop-color="hsl(\(hue) 45% 38%)"/><stop offset="1" stop-color="hsl(\((hue + 50) % 360) 50% 24%)"/>\
      </linearGradient></defs><rect width="320" height="180" fill="url(#g)"/>\
      <g fill="#fff" fill-opacity=".16">\(bars.joined())</g>\
      <text x="160" y="104" text-anchor="middle" font-family="sans-serif" font-size="56" font-weight="600" fill="#fff" \
      fill-opacity=".9">\(escaped(letters))</text></svg>
      """
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}
