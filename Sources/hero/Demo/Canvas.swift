import Foundation

/// A picture that shapes are painted on.
struct Canvas {
  struct Color {
    let red, green, blue: UInt8

    /// - Parameters:
    ///   - hue: the place on the circle of colours; 1 is once around.
    ///   - strength: the saturation, from 0 (grey) to 1 (pure).
    init(hue: Double, strength: Double, brightness: Double) {
      func part(_ shift: Double) -> UInt8 {
        let place = (hue * 6 + shift).truncatingRemainder(dividingBy: 6)
        let ramp = min(max(min(place, 4 - place), 0), 1)
        return UInt8(255 * brightness * (1 - strength * ramp))
      }
      (red, green, blue) = (part(5), part(3), part(1))
    }
  }

  let width: Int
  let height: Int
  /// Red, green and blue of every pixel, row by row.
  private(set) var pixels: [UInt8]

  init(width: Int, height: Int) {
    (self.width, self.height) = (width, height)
    pixels = [UInt8](repeating: 0, count: 3 * width * height)
  }

  /// Paints the pixels around (x, y) whose distances from it are `inside`.
  ///
  /// Looks at pixels within `reach` of (x, y) in each direction.
  mutating func paint(
    _ color: Color, around x: Double, _ y: Double, reach: Double, inside: (_ dx: Double, _ dy: Double) -> Bool
  ) {
    for row in max(0, Int(y - reach))..<max(0, min(height, Int(y + reach) + 1)) {
      for column in max(0, Int(x - reach))..<max(0, min(width, Int(x + reach) + 1))
      where inside(Double(column) - x, Double(row) - y) {
        let place = 3 * (row * width + column)
        (pixels[place], pixels[place + 1], pixels[place + 2]) = (color.red, color.green, color.blue)
      }
    }
  }

  mutating func rectangle(_ color: Color, x: Range<Int>, y: Range<Int>) {
    for row in y.clamped(to: 0..<height) {
      for column in x.clamped(to: 0..<width) {
        let place = 3 * (row * width + column)
        (pixels[place], pixels[place + 1], pixels[place + 2]) = (color.red, color.green, color.blue)
      }
    }
  }

  mutating func disc(_ color: Color, x: Double, y: Double, radius: Double) {
    paint(color, around: x, y, reach: radius) { $0 * $0 + $1 * $1 <= radius * radius }
  }
}
