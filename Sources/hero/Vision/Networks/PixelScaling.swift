/// A table of (value/255 − mean)/(deviation + 1e-8) for each channel and value of a byte.
struct PixelScaling {
  private let tables: [Float]

  init(mean: [Float], deviation: [Float]) {
    var tables: [Float] = []
    for channel in 0..<3 {
      for value in 0..<256 {
        tables.append((Float(value) / 255 - mean[channel]) / (deviation[channel] + 1e-8))
      }
    }
    self.tables = tables
  }

  /// The scaling for ImageNet, of torchvision's networks.
  static let imageNet = PixelScaling(mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])
  /// The scaling for Kinetics, of SlowFast.
  static let kinetics = PixelScaling(mean: [0.45, 0.45, 0.45], deviation: [0.225, 0.225, 0.225])
  /// The scaling of CLIP.
  static let clip = PixelScaling(
    mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711])

  /// Writes one picture's scaled pixels into three planes, `stride` floats apart.
  func planes(
    _ pixels: UnsafePointer<UInt8>, count: Int, into planes: UnsafeMutablePointer<Float>, stride: Int
  ) {
    tables.withUnsafeBufferPointer { tables in
      for channel in 0..<3 {
        let (table, plane) = (tables.baseAddress! + 256 * channel, planes + channel * stride)
        for pixel in 0..<count { plane[pixel] = table[Int(pixels[3 * pixel + channel])] }
      }
    }
  }
}
