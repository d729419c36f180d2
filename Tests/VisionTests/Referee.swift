import Formats

@testable import Vision

/// A tensor of [batch, channels, time, height, width] and networks' operations on it, as loops in
/// double precision.
struct Volume {
  var shape: [Int]
  var values: [Double]

  init(_ shape: [Int], _ values: [Double]) {
    precondition(values.count == shape.reduce(1, *))
    self.shape = shape
    self.values = values
  }

  subscript(_ place: [Int]) -> Double {
    for (index, size) in zip(place, shape) where index < 0 || index >= size { return 0 }
    var number = 0
    for (index, size) in zip(place, shape) { number = number * size + index }
    return values[number]
  }

  /// Makes a result of this shape, computing every place.
  static func make(_ shape: [Int], _ value: ([Int]) -> Double) -> Volume {
    var place = [Int](repeating: 0, count: shape.count)
    var values: [Double] = []
    for _ in 0..<shape.reduce(1, *) {
      values.append(value(place))
      var axis = shape.count - 1
      place[axis] += 1
      while axis > 0, place[axis] == shape[axis] {
        place[axis] = 0
        axis -= 1
        place[axis] += 1
      }
    }
    return Volume(shape, values)
  }

  /// Convolves with a padding of zeros, half a kernel wide.
  func convolved(_ kernel: Volume, strides: [Int]) -> Volume {
    let half: [Int] = kernel.shape.suffix(3).map { $0 / 2 }
    var result = [shape[0], kernel.shape[0]]
    for axis in 0..<3 {
      let free = shape[axis + 2] + 2 * half[axis] - kernel.shape[axis + 2]
      result.append(free / strides[axis] + 1)
    }
    let channels = shape[1]
    let (times, rows, columns) = (kernel.shape[2], kernel.shape[3], kernel.shape[4])
    let each = channels * times * rows * columns
    return Volume.make(result) { place in
      var first = [0, 0, 0]
      for axis in 0..<3 { first[axis] = place[axis + 2] * strides[axis] - half[axis] }
      var sum = 0.0
      for c in 0..<channels {
        for t in max(0, -first[0])..<max(0, -first[0], min(times, shape[2] - first[0])) {
          for y in max(0, -first[1])..<max(0, -first[1], min(rows, shape[3] - first[1])) {
            let weight = place[1] * each + ((c * times + t) * rows + y) * columns
            let line = (place[0] * channels + c) * shape[2] + first[0] + t
            let value = (line * shape[3] + first[1] + y) * shape[4] + first[2]
            for x in max(0, -first[2])..<max(0, -first[2], min(columns, shape[4] - first[2])) {
              sum += kernel.values[weight + x] * values[value + x]
            }
          }
        }
      }
      return sum
    }
  }

  /// Takes maxima of 3×3 with stride 2 over height and width.
  ///
  /// Every value is at least 0 here, so that padding never wins.
  func pooled() -> Volume {
    let (height, width) = ((shape[3] - 1) / 2 + 1, (shape[4] - 1) / 2 + 1)
    return Volume.make([shape[0], shape[1], shape[2], height, width]) { place in
      var most = 0.0
      for y in -1...1 {
        for x in -1...1 {
          let value: Double = self[[place[0], place[1], place[2], 2 * place[3] + y, 2 * place[4] + x]]
          most = max(most, value)
        }
      }
      return most
    }
  }

  func normed(_ name: String, _ arrays: TinyArrays) -> Volume {
    let (scale, shift) = (arrays["\(name).weight"], arrays["\(name).bias"])
    let (mean, variance) = (arrays["\(name).running_mean"], arrays["\(name).running_var"])
    return Volume.make(shape) { place in
      let c = place[1]
      let deviation: Double = (variance[c] + 1e-5).squareRoot()
      let unit: Double = (self[place] - mean[c]) / deviation
      return unit * scale[c] + shift[c]
    }
  }

  func rectified() -> Volume { Volume(shape, values.map { max($0, 0) }) }

  static func + (a: Volume, b: Volume) -> Volume { Volume(a.shape, zip(a.values, b.values).map(+)) }

  /// Returns its own channels, followed by those of `other`.
  func joined(_ other: Volume) -> Volume {
    Volume.make([shape[0], shape[1] + other.shape[1]] + shape.dropFirst(2)) { place in
      var place = place
      guard place[1] >= shape[1] else { return self[place] }
      place[1] -= shape[1]
      return other[place]
    }
  }

  /// The mean of each channel of each item: [items][channels].
  var means: [[Double]] {
    let each = shape.dropFirst(2).reduce(1, *)
    return (0..<shape[0]).map { item in
      (0..<shape[1]).map { channel in
        let start = (item * shape[1] + channel) * each
        let sum: Double = values[start..<start + each].reduce(0, +)
        return sum / Double(each)
      }
    }
  }
}

/// Named arrays of random numbers, the same ones every time.
final class TinyArrays {
  private(set) var list: [(name: String, array: NDArray)] = []
  private var byName: [String: [Double]] = [:]
  private var state: UInt64 = 88_172_645_463_325_252

  /// Returns a uniform number in −1 … 1.
  func random() -> Float {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Float(state >> 40) / Float(1 << 23) - 1
  }

  func add(_ name: String, _ shape: [Int], scale: Float = 1, around center: Float = 0) {
    let values = (0..<shape.reduce(1, *)).map { _ in center + scale * random() }
    list.append((name, NDArray(floats: values, shape: shape)))
    byName[name] = values.map(Double.init)
  }

  func addNorm(_ name: String, _ width: Int) {
    add("\(name).weight", [width], scale: 0.4, around: 1)
    add("\(name).bias", [width], scale: 0.3)
    add("\(name).running_mean", [width], scale: 0.3)
    add("\(name).running_var", [width], scale: 0.4, around: 1)
  }

  func addConvolution(_ name: String, norm: String, _ shape: [Int]) {
    let inputs = shape.dropFirst().reduce(1, *)
    add("\(name).weight", shape, scale: (6 / Float(inputs)).squareRoot())
    addNorm(norm, shape[0])
  }

  subscript(name: String) -> [Double] { byName[name] ?? [] }

  func contains(_ name: String) -> Bool { byName[name] != nil }

  func shape(_ name: String) -> [Int] { list.first { $0.name == name }?.array.shape ?? [] }

  /// Returns a convolution's kernel with three spatial dimensions.
  func kernel(_ name: String) -> Volume {
    let shape = shape(name + ".weight")
    return Volume(
      shape.count == 4 ? [shape[0], shape[1], 1, shape[2], shape[3]] : shape, self[name + ".weight"])
  }

  var weights: NetworkWeights { NetworkWeights(path: "tiny", arrays: list) }
}

/// Returns the largest distance of a row, relative to the wanted row's length.
func worstRow(_ rows: [Float], _ wanted: [[Double]]) -> Double {
  let width = wanted.first?.count ?? 1
  guard rows.count == width * wanted.count else { return .infinity }
  return wanted.enumerated().map { number, row in
    var (error, length) = (0.0, 0.0)
    for (place, value) in row.enumerated() {
      let difference = Double(rows[number * width + place]) - value
      error += difference * difference
      length += value * value
    }
    return (error / max(length, 1e-30)).squareRoot()
  }.max() ?? .infinity
}
