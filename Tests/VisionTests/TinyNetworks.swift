import Formats

@testable import Vision

/// A ResNet of few channels, and its expected results.
struct TinyResNet {
  let arrays = TinyArrays()
  private let depths = [2, 1, 1, 1]

  init() {
    arrays.addConvolution("conv1", norm: "bn1", [6, 3, 7, 7])
    var width = 6
    for stage in 1...4 {
      for block in 0..<depths[stage - 1] {
        let (name, inner) = ("layer\(stage).\(block)", 4 + stage)
        arrays.addConvolution("\(name).conv1", norm: "\(name).bn1", [inner, width, 1, 1])
        arrays.addConvolution("\(name).conv2", norm: "\(name).bn2", [inner, inner, 3, 3])
        arrays.addConvolution("\(name).conv3", norm: "\(name).bn3", [4 * inner, inner, 1, 1])
        if block == 0 {
          arrays.addConvolution(
            "\(name).downsample.0", norm: "\(name).downsample.1", [4 * inner, width, 1, 1])
        }
        width = 4 * inner
      }
    }
    // A state dict has these arrays too.
    arrays.add("bn1.num_batches_tracked", [])
    arrays.add("fc.weight", [10, width])
    arrays.add("fc.bias", [10])
  }

  func rows(_ pictures: Pictures) -> [[Double]] {
    func layer(_ x: Volume, _ name: String, _ norm: String, _ stride: Int = 1) -> Volume {
      x.convolved(arrays.kernel(name), strides: [1, stride, stride]).normed(norm, arrays)
    }
    let x = pictures.volume(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225], times: 1)
    var y = layer(x, "conv1", "bn1", 2).rectified().pooled()
    for stage in 1...4 {
      for block in 0..<depths[stage - 1] {
        let name = "layer\(stage).\(block)"
        let stride = stage > 1 && block == 0 ? 2 : 1
        let inner = layer(y, "\(name).conv1", "\(name).bn1").rectified()
        let middle = layer(inner, "\(name).conv2", "\(name).bn2", stride).rectified()
        let shortcut = block == 0 ? layer(y, "\(name).downsample.0", "\(name).downsample.1", stride) : y
        y = (layer(middle, "\(name).conv3", "\(name).bn3") + shortcut).rectified()
      }
    }
    return y.means.map { row in
      let length: Double = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
      return row.map { $0 / length }
    }
  }
}

/// A SlowFast of few channels, and its expected results.
struct TinySlowFast {
  let arrays = TinyArrays()
  static let frames = 8

  init() {
    var (slow, fast) = (8, 4)
    arrays.addConvolution("s1.pathway0_stem.conv", norm: "s1.pathway0_stem.bn", [slow, 3, 1, 7, 7])
    arrays.addConvolution("s1.pathway1_stem.conv", norm: "s1.pathway1_stem.bn", [fast, 3, 5, 7, 7])
    for stage in 2...5 {
      arrays.addConvolution(
        "s\(stage - 1)_fuse.conv_f2s", norm: "s\(stage - 1)_fuse.bn", [2 * fast, fast, 7, 1, 1])
      let results = (8 * stage, 4 * stage)
      addStage(stage, pathway: 0, from: slow + 2 * fast, to: results.0, time: stage < 4 ? 1 : 3)
      addStage(stage, pathway: 1, from: fast, to: results.1, time: 3)
      (slow, fast) = results
    }
    arrays.add("head.projection.weight", [10, slow + fast])
  }

  private func addStage(_ stage: Int, pathway: Int, from width: Int, to result: Int, time: Int) {
    for block in 0..<2 {
      let name = "s\(stage).pathway\(pathway)_res\(block)"
      let (input, inner) = (block == 0 ? width : result, 4)
      if block == 0 {
        arrays.addConvolution("\(name).branch1", norm: "\(name).branch1_bn", [result, input, 1, 1, 1])
      }
      arrays.addConvolution("\(name).branch2.a", norm: "\(name).branch2.a_bn", [inner, input, time, 1, 1])
      arrays.addConvolution("\(name).branch2.b", norm: "\(name).branch2.b_bn", [inner, inner, 1, 3, 3])
      arrays.addConvolution("\(name).branch2.c", norm: "\(name).branch2.c_bn", [result, inner, 1, 1, 1])
    }
  }

  private func layer(_ x: Volume, _ name: String, _ norm: String, _ strides: [Int] = [1, 1, 1]) -> Volume {
    x.convolved(arrays.kernel(name), strides: strides).normed(norm, arrays)
  }

  func rows(_ pictures: Pictures) -> [[Double]] {
    let fast = pictures.volume(
      mean: [0.45, 0.45, 0.45], deviation: [0.225, 0.225, 0.225], times: Self.frames)
    // linspace(0, 7, 2)
    let slow = Volume.make([fast.shape[0], 3, 2] + fast.shape.suffix(2)) { place in
      fast[[place[0], place[1], 7 * place[2], place[3], place[4]]]
    }
    var pathways = [slow, fast].enumerated().map { number, x in
      layer(x, "s1.pathway\(number)_stem.conv", "s1.pathway\(number)_stem.bn", [1, 2, 2]).rectified().pooled()
    }
    for stage in 2...5 {
      let bridge = layer(pathways[1], "s\(stage - 1)_fuse.conv_f2s", "s\(stage - 1)_fuse.bn", [4, 1, 1])
        .rectified()
      pathways[0] = pathways[0].joined(bridge)
      for pathway in 0..<2 {
        for block in 0..<2 {
          let name = "s\(stage).pathway\(pathway)_res\(block)"
          let stride = stage > 2 && block == 0 ? 2 : 1
          let x = pathways[pathway]
          let a = layer(x, "\(name).branch2.a", "\(name).branch2.a_bn").rectified()
          let b = layer(a, "\(name).branch2.b", "\(name).branch2.b_bn", [1, stride, stride]).rectified()
          let c = layer(b, "\(name).branch2.c", "\(name).branch2.c_bn")
          let shortcut =
            block == 0 ? layer(x, "\(name).branch1", "\(name).branch1_bn", [1, stride, stride]) : x
          pathways[pathway] = (c + shortcut).rectified()
        }
      }
    }
    return zip(pathways[0].means, pathways[1].means).map(+)
  }
}

extension Pictures {
  /// Makes pictures of random bytes.
  static func random(_ count: Int, width: Int, height: Int) -> Pictures {
    let arrays = TinyArrays()
    var bytes: [UInt8] = []
    for _ in 0..<3 * count * width * height { bytes.append(UInt8((arrays.random() + 1) * 127.5)) }
    return Pictures(width: width, height: height, bytes: bytes)
  }

  /// Returns (value/255 − mean)/(deviation + 1e-8) as [items, 3, times, height, width].
  func volume(mean: [Double], deviation: [Double], times: Int) -> Volume {
    Volume.make([count / times, 3, times, height, width]) { place in
      let picture = place[0] * times + place[2]
      let pixel = (picture * height + place[3]) * width + place[4]
      let value = Double(bytes[3 * pixel + place[1]]) / 255
      return (value - mean[place[1]]) / (deviation[place[1]] + 1e-8)
    }
  }
}
