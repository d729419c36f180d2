import Formats
import Foundation
import Testing

/// An array of the reference: whole, or in the small set as a sketch (see `make_small.py`).
///
/// A sketch is the array's norm and 16 sums of its elements under fixed random signs. The mean
/// square difference of two arrays' sums estimates the squared norm of their difference, whichever
/// elements differ.
struct ExpectedArray {
  private let values: [Float]
  private let isSketch: Bool
  let norm: Double

  init(_ array: NDArray, isSketch: Bool) {
    values = array.floats()
    self.isSketch = isSketch
    norm = isSketch ? Double(values[0]) : Self.norm(values.map { Double($0) })
  }

  /// Reads the arrays of `PATH.safetensors`, or else of `PATH.sketch.safetensors`.
  static func read(_ path: String) throws -> [String: ExpectedArray] {
    let whole = "\(path).safetensors"
    let isSketch = !FileManager.default.fileExists(atPath: whole)
    return try Golden.tensors(isSketch ? "\(path).sketch.safetensors" : whole)
      .mapValues { ExpectedArray($0, isSketch: isSketch) }
  }

  /// Returns ‖actual − this‖, or its estimate.
  func distance(to actual: [Float]) -> Double {
    guard isSketch else { return Self.norm(zip(actual, values).map { Double($0 - $1) }) }
    let sums = Self.sums(actual)
    let apart = Self.norm(zip(sums, values.dropFirst()).map { $0 - Double($1) })
    return apart / Double(sums.count).squareRoot()
  }

  private static func norm(_ values: [Double]) -> Double {
    values.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  /// Returns 16 sums of the elements, with signs from the bits of splitmix64.
  ///
  /// Bit k of splitmix64(an element's number) gives the element's sign in sum k.
  static func sums(_ values: [Float]) -> [Double] {
    var sums = [Double](repeating: 0, count: 16)
    for (number, value) in values.enumerated() {
      var z = (UInt64(number) &+ 1) &* 0x9E37_79B9_7F4A_7C15
      z = (z ^ z >> 30) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ z >> 27) &* 0x94D0_49BB_1331_11EB
      z ^= z >> 31
      for k in sums.indices { sums[k] += z >> UInt64(k) & 1 == 0 ? Double(value) : -Double(value) }
    }
    return sums
  }
}

struct ExpectedArrayTests {
  /// A sketch detects one wrong element at about its size, wherever it is.
  @Test(arguments: [0, 17, 999]) func aSketchSeesEveryElement(place: Int) {
    var values = (0..<1000).map { Float(($0 * 7919) % 101) / 50 - 1 }
    let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let sketch = [norm] + ExpectedArray.sums(values.map { $0 }).map { Float($0) }
    let expected = ExpectedArray(NDArray(floats: sketch, shape: [17]), isSketch: true)
    #expect(expected.distance(to: values) <= 1e-5)
    values[place] += 0.25
    #expect(abs(expected.distance(to: values) - 0.25) <= 1e-5)
  }
}
