import Formats
import Foundation

/// What can be seen in the pictures of a drawn video, as two rows of numbers a frame: which colours
/// there are, and how what moves goes to and fro.
///
/// They take the place of what `hero extract-features` computes with networks whose weights are not
/// ours to give. Nothing is known here of who or what was drawn; what colours and movements mean is
/// for the model to learn.
struct PictureFeatures {
  let options: DemoOptions
  private let colors, movements: [[Float]]

  /// Steps of each of red, green and blue that count as different colours.
  private static let steps = 16
  /// Pixels of a colour that count as one thing in full.
  private static let wholePixels: Float = 256
  /// The most turns a frame that features distinguish.
  private static let mostTurns = 4
  /// Of the elements of a row, before the noise.
  private static let strength: Float = 0.6

  init(options: DemoOptions) {
    self.options = options
    let shades = Self.steps * Self.steps * Self.steps
    colors = Self.codes(shades, options.appearanceWidth, "color", options.seed)
    movements = Self.codes(2 * Self.mostTurns, options.motionWidth, "movement", options.seed)
  }

  private static func codes(_ count: Int, _ width: Int, _ kind: String, _ seed: UInt64) -> [[Float]] {
    (0..<count).map { number in
      var random = SeededRandom(seed: seed, "code of \(kind)", number)
      return (0..<width).map { _ in random.normal() }
    }
  }

  /// Both kinds of features of a video.
  /// - Returns: `appearance`, [frames, appearance width]; `motion`, [rows, motion width]: every
  ///   fifth video has a row more than it has frames, as extractors that work with other windows
  ///   make it.
  func features(of scenario: Scenario) -> (appearance: NDArray, motion: NDArray) {
    let video = DrawnVideo(scenario, options: options)
    let count = max(2, Int(options.frameInterval * Double(DrawnVideo.frameRate)))
    var (seen, moved): ([[Float]], [[Float]]) = ([], [])
    for frame in 0..<scenario.frameCount {
      let pictures = (0..<count).map { number in
        video.picture(at: (Double(frame) + Double(number) / Double(count)) * options.frameInterval)
      }
      seen.append(Self.colors(in: pictures[count / 2]))
      moved.append(Self.movement(in: pictures))
    }
    if scenario.index % 5 == 4 { moved += moved.suffix(1) }
    return (
      array(seen, colors, width: options.appearanceWidth, "appearance", scenario),
      array(moved, movements, width: options.motionWidth, "motion", scenario)
    )
  }

  /// How much of each colour a picture holds, from 0 to 1: √(pixels / 256), a large area counts no
  /// more than a thing does.
  private static func colors(in picture: [UInt8]) -> [Float] {
    var counts = [Int32](repeating: 0, count: steps * steps * steps)
    let shift = 4
    for pixel in stride(from: 0, to: picture.count, by: 3) {
      let (red, green, blue) = (picture[pixel], picture[pixel + 1], picture[pixel + 2])
      counts[(Int(red >> shift) * steps + Int(green >> shift)) * steps + Int(blue >> shift)] += 1
    }
    return counts.map { min(1, Float($0) / wholePixels).squareRoot() }
  }

  /// How far a moving thing swings sideways (the first half) and up and down (the second), for 1, 2
  /// … turns in the time of these pictures: magnitudes of the Fourier series of its centre, in
  /// sixteenths of 16 pixels.
  ///
  /// The centre is that of the squared differences from the mean of the pictures.
  private static func movement(in pictures: [[UInt8]]) -> [Float] {
    // Every second pixel either way is enough.
    let (width, height) = (DrawnVideo.width, DrawnVideo.height)
    var (xs, ys) = ([Double](), [Double]())
    var mean = [Int32](repeating: 0, count: width * height * 3)
    for picture in pictures {
      for place in picture.indices { mean[place] += Int32(picture[place]) }
    }
    for place in mean.indices { mean[place] /= Int32(pictures.count) }
    for picture in pictures {
      var (sum, sumX, sumY) = (0.0, 0.0, 0.0)
      for y in stride(from: 0, to: height, by: 2) {
        var (row, rowX) = (Int64(0), Int64(0))
        for x in stride(from: 0, to: width, by: 2) {
          let place = 3 * (y * width + x)
          var change: Int32 = 0
          for channel in place..<place + 3 {
            let difference = Int32(picture[channel]) - mean[channel]
            change += difference * difference
          }
          row += Int64(change)
          rowX += Int64(change) * Int64(x)
        }
        (sum, sumX, sumY) = (sum + Double(row), sumX + Double(rowX), sumY + Double(row) * Double(y))
      }
      guard sum > 0 else { return [Float](repeating: 0, count: 2 * mostTurns) }
      xs.append(sumX / sum)
      ys.append(sumY / sum)
    }
    return turns(xs) + turns(ys)
  }

  private static func turns(_ places: [Double]) -> [Float] {
    (1...mostTurns).map { (turns: Int) -> Float in
      var (real, imaginary) = (0.0, 0.0)
      let count = Double(places.count)
      for (number, place) in places.enumerated() {
        let angle = 2 * Double.pi * Double(turns * number) / count
        real += place * cos(angle)
        imaginary += place * sin(angle)
      }
      let size = (real * real + imaginary * imaginary).squareRoot()
      return Float(size * 2 / count / 16)
    }
  }

  /// Each row is the sum of codes by how much there is of each, plus the noise.
  private func array(
    _ rows: [[Float]], _ codes: [[Float]], width: Int, _ purpose: String, _ scenario: Scenario
  ) -> NDArray {
    var random = SeededRandom(seed: options.seed, purpose, scenario.index)
    var values: [Float] = []
    values.reserveCapacity(rows.count * width)
    for row in rows {
      var sums = (0..<width).map { _ in options.noise * random.normal() }
      for (amount, code) in zip(row, codes) where amount > 0 {
        for column in 0..<width { sums[column] += Self.strength * amount * code[column] }
      }
      values += sums
    }
    return NDArray(floats: values, shape: [rows.count, width])
  }
}
