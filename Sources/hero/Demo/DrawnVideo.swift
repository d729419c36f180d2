import Foundation

/// A video of the corpus as pictures.
///
/// A place is a wall and a floor of one colour with an ornament. A person is a figure in clothes of
/// one colour. An object is a coloured shape, and an action is the way that this shape moves. The
/// corpus's features are computed from these pictures.
public struct DrawnVideo: Sendable {
  /// The video's name in the corpus's stores.
  public let name: String
  /// The duration in seconds.
  public let duration: Double
  private let scenes: [(end: Double, scene: Scene)]
  private let frameInterval: Double

  /// The size of a picture in pixels.
  public static let (width, height) = (192, 108)
  /// The number of pictures per second, enough to show movement.
  public static let frameRate = 8

  init(_ scenario: Scenario, options: DemoOptions) {
    name = scenario.name
    duration = scenario.duration
    frameInterval = options.frameInterval
    scenes = scenario.scenes.map { (Double($0.frames.upperBound) * options.frameInterval, $0) }
  }

  /// Returns the picture at a time: red, green and blue of every pixel, row by row.
  public func picture(at seconds: Double) -> [UInt8] {
    var canvas = Canvas(width: Self.width, height: Self.height)
    guard let scene = (scenes.first { seconds < $0.end } ?? scenes.last)?.scene else { return canvas.pixels }
    Self.paint(place: scene.place, on: &canvas)
    // The person of a new scene stands somewhere else.
    let x = Double(48 + (7 * scene.frames.lowerBound + 5 * scene.person) % 25)
    Self.paint(person: scene.person, at: x, on: &canvas)
    // Actions differ in how often per frame the shape swings sideways, and up and down.
    let (across, up) = (Double(scene.action % 4), Double(scene.action / 4 + 1))
    let turn = 2 * Double.pi * seconds / frameInterval
    Self.paint(
      object: scene.object, x: x + 48 + 16 * cos(across * turn), y: 56 + 16 * sin(up * turn), on: &canvas)
    return canvas.pixels
  }

  private static func paint(place: Int, on canvas: inout Canvas) {
    let hue = Double(place) / Double(Lexicon.places.count)
    let ornament = Canvas.Color(hue: hue, strength: 0.25, brightness: 0.95)
    canvas.rectangle(
      .init(hue: hue, strength: 0.35, brightness: 0.75), x: 0..<canvas.width, y: 0..<canvas.height)
    switch place % 4 {
    case 0: canvas.disc(ornament, x: 160, y: 24, radius: 16)
    case 1:
      for x in stride(from: 8, to: canvas.width, by: 36) {
        canvas.rectangle(ornament, x: x..<x + 20, y: 12..<40)
      }
    case 2:
      for x in stride(from: 0, to: canvas.width, by: 16) {
        canvas.rectangle(ornament, x: x..<x + 6, y: 0..<76)
      }
    default:
      for y in stride(from: 6, to: 76, by: 16) {
        canvas.rectangle(ornament, x: 0..<canvas.width, y: y..<y + 5)
      }
    }
    canvas.rectangle(
      .init(hue: hue, strength: 0.5, brightness: 0.45), x: 0..<canvas.width, y: 78..<canvas.height)
  }

  private static func paint(person: Int, at x: Double, on canvas: inout Canvas) {
    let clothes = Canvas.Color(
      hue: Double(person) / Double(Lexicon.people.count), strength: 0.9,
      brightness: person % 2 == 0 ? 0.95 : 0.6)
    let skin = Canvas.Color(hue: 0.08, strength: 0.45, brightness: 0.5 + 0.04 * Double(person))
    let left = Int(x)
    canvas.rectangle(clothes, x: left - 11..<left + 11, y: 46..<84)
    canvas.rectangle(.init(hue: 0.6, strength: 0.5, brightness: 0.25), x: left - 9..<left - 2, y: 84..<102)
    canvas.rectangle(.init(hue: 0.6, strength: 0.5, brightness: 0.25), x: left + 2..<left + 9, y: 84..<102)
    canvas.rectangle(clothes, x: left + 11..<left + 34, y: 52..<58)
    canvas.disc(skin, x: x, y: 34, radius: 11)
    // Hair, short or long.
    let hair = Canvas.Color(hue: 0.07, strength: 0.6, brightness: 0.15 + 0.05 * Double(person % 5))
    let length = Lexicon.people[person].pronoun == "she" ? 8.0 : -4
    canvas.paint(hair, around: x, 34, reach: 13) { dx, dy in
      let distance = dx * dx + dy * dy
      return distance <= 169 && (dy < -4 || (distance >= 100 && dy < length))
    }
  }

  private static func paint(object: Int, x: Double, y: Double, on canvas: inout Canvas) {
    let color = Canvas.Color(
      hue: Double(object) / Double(Lexicon.objects.count) + 0.02, strength: 1, brightness: 0.9)
    let edge = Canvas.Color(hue: 0, strength: 0, brightness: 0.1)
    func shape(_ color: Canvas.Color, _ size: Double) {
      canvas.paint(color, around: x, y, reach: size) { dx, dy in
        switch object % 5 {
        case 0: dx * dx + dy * dy <= size * size
        case 1: true
        case 2: dy > -size && abs(dx) * 2 <= dy + size
        case 3: abs(dx) + abs(dy) <= size
        default: abs(dx) <= size / 3 || abs(dy) <= size / 3
        }
      }
    }
    shape(edge, 13)
    shape(color, 11)
  }
}

extension DemoCorpus {
  /// All videos of the corpus as pictures.
  public var drawnVideos: [DrawnVideo] { scenarios.map { DrawnVideo($0, options: options) } }
}
