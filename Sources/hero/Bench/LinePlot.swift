import Foundation

/// A line plot over two logarithmic or two linear axes, as SVG for light and dark pages.
package struct LinePlot {
  package struct Line {
    package var name: String
    /// The points in ascending order of x, with positive coordinates.
    package var points: [(x: Double, y: Double)]
    /// The number of the line's colour; nil takes the line's place among the lines.
    package var color: Int?
    /// Whether the line is one of those behind a mean: thin, without a name and marks.
    package var isThin = false

    package init(name: String, points: [(x: Double, y: Double)]) { (self.name, self.points) = (name, points) }
  }

  private let title: String
  private let horizontal: String
  private let vertical: String
  private let lines: [Line]
  private let falls: Bool
  private let isLinear: Bool

  private static let (width, height) = (640.0, 380.0)
  private static let (left, right, top, bottom) = (70.0, 110.0, 44.0, 52.0)

  /// - Parameters:
  ///   - horizontal: the unit of x.
  ///   - vertical: the unit of y.
  ///   - falls: whether the dashed line of proportional cost falls with x.
  ///   - isLinear: whether the axes are linear and begin at 0; there are no dashed lines then.
  package init(
    title: String, horizontal: String, vertical: String, lines: [Line], falls: Bool = false,
    isLinear: Bool = false
  ) {
    (self.title, self.horizontal, self.vertical) = (title, horizontal, vertical)
    self.lines = lines.map { line in
      var shown = line
      shown.points = line.points.filter {
        $0.x.isFinite && $0.y.isFinite && (isLinear ? $0.x >= 0 && $0.y >= 0 : $0.x > 0 && $0.y > 0)
      }
      return shown
    }
    (self.falls, self.isLinear) = (falls, isLinear)
  }

  package var svg: String {
    let all = lines.flatMap(\.points)
    let x = Scale(all.map(\.x), from: Self.left, to: Self.width - Self.right, isTight: true, isLinear)
    let y = Scale(all.map(\.y), from: Self.height - Self.bottom, to: Self.top, isTight: false, isLinear)
    var body = Self.head(title)
    for tick in x.ticks {
      let at = Self.number(x(tick))
      body += "<path class=\"grid\" d=\"M\(at) \(Self.top)V\(Self.height - Self.bottom)\"/>"
      body += Self.text(Self.label(tick), x(tick), Self.height - Self.bottom + 18, "middle")
    }
    for tick in y.ticks {
      let at = Self.number(y(tick))
      body += "<path class=\"grid\" d=\"M\(Self.left) \(at)H\(Self.width - Self.right)\"/>"
      body += Self.text(Self.label(tick), Self.left - 8, y(tick) + 4, "end")
    }
    body +=
      "\n" + Self.text(horizontal, (Self.left + Self.width - Self.right) / 2, Self.height - 12, "middle")
    body +=
      "<text class=\"t\" text-anchor=\"middle\" transform=\"translate(16 \(Self.number((Self.top + Self.height - Self.bottom) / 2))) rotate(-90)\">\(Self.escaped(vertical))</text>\n"
    var taken: [Double] = []
    for (number, line) in lines.enumerated() where !line.points.isEmpty {
      let color = (line.color ?? number) % 4
      if !isLinear { body += proportional(line, x, y) }
      let path = line.points.map { "\(Self.number(x($0.x))) \(Self.number(y($0.y)))" }
      let thin = line.isThin ? " style=\"stroke-width:1;opacity:.5\"" : ""
      body += "<path class=\"l\(color)\"\(thin) d=\"M\(path.joined(separator: "L"))\"/>"
      if line.isThin { continue }
      for point in line.points {
        body +=
          "<circle class=\"p\(color)\" cx=\"\(Self.number(x(point.x)))\" cy=\"\(Self.number(y(point.y)))\" r=\"3.5\"/>"
      }
      // Each name stands at its line's end and overlaps no other name.
      let last = line.points[line.points.count - 1]
      var at = y(last.y) + 4
      while taken.contains(where: { abs($0 - at) < 15 }) { at += 1 }
      taken.append(at)
      body += Self.text(line.name, x(last.x) + 10, at, "start", style: "n\(color)") + "\n"
    }
    return body + "</svg>\n"
  }

  /// Returns the line of a cost proportional to x, or to 1/x if `falls`, from the first point on.
  private func proportional(_ line: Line, _ x: Scale, _ y: Scale) -> String {
    guard let first = line.points.first, let last = line.points.last, first.x < last.x else { return "" }
    let end = falls ? first.y * first.x / last.x : first.y * last.x / first.x
    // The line ends at the edge of the plot.
    let inside = min(max(end, y.least), y.most)
    let share = end == first.y ? 1 : log(inside / first.y) / log(end / first.y)
    let reach = first.x * pow(last.x / first.x, share)
    return
      "<path class=\"d\" d=\"M\(Self.number(x(first.x))) \(Self.number(y(first.y)))L\(Self.number(x(reach))) \(Self.number(y(inside)))\"/>"
  }

  /// A logarithmic axis, or a linear one that begins at 0.
  private struct Scale {
    let least: Double
    let most: Double
    private let from: Double
    private let to: Double
    private let isLinear: Bool
    private(set) var ticks: [Double]

    /// - Parameter isTight: whether the axis ends at the values, not at round numbers around them.
    init(_ values: [Double], from: Double, to: Double, isTight: Bool, _ isLinear: Bool) {
      (self.from, self.to, self.isLinear) = (from, to, isLinear)
      if isLinear {
        let highest = values.max().flatMap { $0 > 0 ? $0 : nil } ?? 1
        let decade = pow(10, log10(highest / 5).rounded(.down))
        let step = [1, 2, 5, 10].map { $0 * decade }.first { highest / $0 <= 6 } ?? highest
        (least, most) = (0, isTight ? highest : step * (highest / step).rounded(.up))
        ticks = Array(stride(from: 0, through: most * 1.0001, by: step))
        return
      }
      let (low, high) = (values.min() ?? 1, values.max() ?? 1)
      let decades = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
      let steps: [Double] = log10(high / low) > 3 ? [1] : [1, 2, 5]
      let round = decades.flatMap { decade in steps.map { $0 * pow(10, Double(decade)) } }
      var (lowest, highest) = (low, high > low ? high : low * 10)
      if !isTight {
        lowest = round.last { $0 <= low } ?? low
        highest = round.first { $0 >= high && $0 > lowest } ?? max(high, lowest * 10)
      }
      (least, most) = (lowest, highest)
      // A tight axis with few values has a tick at each value.
      let own = Set(values).sorted()
      ticks = own
      if !isTight || own.count > 8 {
        ticks = []
        for value in round where value >= lowest * 0.999 && value <= highest * 1.001 { ticks.append(value) }
      }
    }

    func callAsFunction(_ value: Double) -> Double {
      let share = isLinear ? value / most : log(value / least) / log(most / least)
      return from + (to - from) * share
    }
  }

  private static func head(_ title: String) -> String {
    """
    <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(width)) \(Int(height))" width="\(Int(width))" height="\(Int(height))" role="img">
    <title>\(escaped(title))</title>
    <style>
    .b{fill:#fff}.grid{stroke:#d8dee4;stroke-width:1;fill:none}.d{stroke:#8c959f;stroke-width:1;stroke-dasharray:4 4;fill:none}
    .t,.n0,.n1,.n2,.n3{font:13px system-ui,sans-serif;fill:#424a53}.h{font:600 15px system-ui,sans-serif;fill:#1f2328}
    .l0,.l1,.l2,.l3{fill:none;stroke-width:2}.l0{stroke:#0969da}.l1{stroke:#bc4c00}.l2{stroke:#1a7f37}.l3{stroke:#8250df}
    .p0,.n0{fill:#0969da}.p1,.n1{fill:#bc4c00}.p2,.n2{fill:#1a7f37}.p3,.n3{fill:#8250df}
    @media(prefers-color-scheme:dark){.b{fill:#0d1117}.grid{stroke:#30363d}.d{stroke:#6e7681}.t{fill:#adbac7}.h{fill:#e6edf3}
    .l0{stroke:#58a6ff}.l1{stroke:#f0883e}.l2{stroke:#56d364}.l3{stroke:#bc8cff}
    .p0,.n0{fill:#58a6ff}.p1,.n1{fill:#f0883e}.p2,.n2{fill:#56d364}.p3,.n3{fill:#bc8cff}}
    </style>
    <rect class="b" width="\(Int(width))" height="\(Int(height))"/>
    \(text(title, left, 26, "start", style: "h"))

    """
  }

  private static func text(
    _ words: String, _ x: Double, _ y: Double, _ anchor: String, style: String = "t"
  ) -> String {
    "<text class=\"\(style)\" x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\">\(escaped(words))</text>"
  }

  private static func label(_ value: Double) -> String {
    if value >= 1_000_000 { return String(format: "%g M", value / 1_000_000) }
    if value >= 10_000 { return String(format: "%g k", value / 1000) }
    return String(format: "%g", value)
  }

  private static func number(_ value: Double) -> String { String(format: "%.1f", value) }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }
}
