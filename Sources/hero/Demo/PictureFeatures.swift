import Formats
import Foundation

/// The features of a drawn video's pictures: a row about colours and one about movement per frame.
///
/// They take the place of what `hero extract-features` computes with networks whose weights are not
/// ours to give. They do not say who or what was drawn. The model must learn what colours and
/// movements mean.
struct PictureFeatures {
  let options: DemoOptions
  private let colors, movements: [[Float]]

  /// The number of levels of each of red, green and blue that count as different colours.
  private static let steps = 16
  /// The number of pixels at which a colour counts in full.
  private static let wholePixels: Float = 256
  /// The most turns per frame that the features distinguish.
  private static let mostTurns = 4
  /// The factor of the codes in a row, before noise is added.
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

  /// Returns both kinds of features of a video.
  /// - Returns: `appearance`, [frames, appearance width], and `motion`, [rows, motion width]. Every
  ///   fifth video has one row more than frames, as extractors with other windows make it.
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

  /// Returns the amount of each colour in a picture, from 0 to 1: √(pixels / 256), at most 1.
  ///
  /// A large area counts no more than a thing.
  private static func colors(in picture: [UInt8]) -> [Float] {
    var counts = [Int32](repeating: 0, count: steps * steps * steps)
    let shift = 4
    for pixel in stride(from: 0, to: picture.count, by: 3) {
      let (red, green, blue) = (picture[pixel], picture[pixel + 1], picture[pixel + 2])
      counts[(Int(red >> shift) * steps + Int(green >> shift)) * steps + Int(blue >> shift)] += 1
    }
    return counts.map { min(1, Float($0) / wholePixels).squareRoot() }
  }

  /// Returns how far a moving thing swings for 1, 2 … turns in the time of the pictures, in units
  /// of 16 pixels.
  ///
  /// The first half is sideways, the second up and down. The values are magnitudes of the Fourier
  /// series of the thing's centre. The centre is that of the squared differences from the mean of
  /// the pictures.
  private static func movement(in pictures: [[UInt8]]) -> [Float] {
    // Every second pixel in each direction is enough.
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

  /// Returns one row per frame: the sum of the codes, weighted by their amounts, plus noise.
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
