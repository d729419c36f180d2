import CFFmpeg
import Formats
import Foundation

/// A folder of pictures, one file each, read as a video of a given picture rate.
///
/// TVQA's and TVR's videos are published in this form. The files are JPEG or PNG, in the natural
/// order of their names (`frame2.jpg` before `frame10.jpg`). A file that cannot be decoded counts
/// as damage; the picture before it is shown for longer.
final class FrameFolder: PictureSource {
  let path: String
  let width: Int
  let height: Int
  let rotation = DisplayRotation(matrix: nil)
  let timeBase: AVRational
  let guessedRate: AVRational
  let frameRate: Double?
  let start = 0.0
  let duration: Double?
  private let files: [String]

  /// - Parameter rate: pictures a second.
  /// - Throws: `DataError` if no picture in the folder can be decoded, or FFmpeg is not installed.
  init(path: String, rate: PictureRate) throws {
    try FFmpeg.load()
    self.path = path
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      throw DataError.system("list the folder", file: path)
    }
    files = names.filter(Self.isPicture).sorted(by: NaturalOrder.precedes).map { "\(path)/\($0)" }
    (timeBase, guessedRate) = (
      AVRational(num: Int32(rate.denominator), den: Int32(rate.numerator)),
      AVRational(num: Int32(rate.numerator), den: Int32(rate.denominator))
    )
    frameRate = Double(rate.numerator) / Double(rate.denominator)
    duration = Double(files.count) * Double(rate.denominator) / Double(rate.numerator)
    (width, height) = try Self.size(ofFirst: files, in: path)
  }

  /// Returns the width and height of the first picture that can be decoded.
  private static func size(ofFirst files: [String], in path: String) throws -> (Int, Int) {
    var reason: DataError?
    for file in files {
      do {
        let picture = try CodedPicture.decoded(file)
        defer { CodedPicture.free(picture) }
        return (Int(picture.width), Int(picture.height))
      } catch let error as DataError {
        reason = reason ?? error
      }
    }
    throw reason
      ?? DataError(
        "there are no pictures in the folder", file: path,
        cure: "Give a folder of .jpg or .png files, or videos without --frame-rate")
  }

  static func isPicture(_ name: String) -> Bool {
    !name.hasPrefix(".") && FileEndings.pictures.contains(FileEndings.ending(of: name))
  }

  func checkedDuration(from interval: FrameInterval) -> Double? { duration }

  func decoder(threads: Int) -> any PictureDecoder { Decoder(files) }

  private final class Decoder: PictureDecoder {
    private let files: [String]
    private var place = 0
    private var shown: UnsafeMutablePointer<AVFrame>?
    private(set) var damages = 0
    var end: Int64 { shown == nil ? FFmpeg.noTime : Int64(files.count) }

    init(_ files: [String]) { self.files = files }

    deinit { av_frame_free(&shown) }

    func next() -> UnsafeMutablePointer<AVFrame>? {
      while place < files.count {
        let number = place
        place += 1
        guard let picture = try? CodedPicture.decoded(files[number]) else {
          damages += 1
          continue
        }
        av_frame_free(&shown)
        shown = picture
        picture.pts = Int64(number)
        return picture
      }
      return nil
    }
  }
}

/// A decoder of single picture files.
enum CodedPicture {
  /// The most bytes of a picture file; no camera writes a larger one.
  private static let mostBytes = 256 << 20
  private static let mostPixels: Int64 = 1 << 27

  static func free(_ picture: UnsafeMutablePointer<AVFrame>) {
    var freed: UnsafeMutablePointer<AVFrame>? = picture
    av_frame_free(&freed)
  }

  /// Decodes the file at `path`; the caller frees the result.
  ///
  /// - Throws: `DataError` if the file is not a JPEG or PNG by its first bytes, is too large or
  ///   damaged. The file's name does not matter.
  static func decoded(_ path: String) throws -> UnsafeMutablePointer<AVFrame> {
    try PlainFile.size(path)
    let bytes = try FileBytes.read(path: path, limit: mostBytes)
    guard let kind = kind(of: bytes), let decoder = avcodec_find_decoder(kind) else {
      throw DataError("is no JPEG or PNG", file: path, cure: "Convert it, or remove it from the folder")
    }
    var codec = avcodec_alloc_context3(decoder)
    var packet = av_packet_alloc()
    var frame = av_frame_alloc()
    defer {
      avcodec_free_context(&codec)
      av_packet_free(&packet)
      av_frame_free(&frame)
    }
    guard let codec, let packet, let made = frame, av_new_packet(packet, Int32(bytes.count)) == 0,
      let data = packet.data
    else { throw DataError("out of memory", file: path) }
    bytes.withUnsafeBufferPointer { data.update(from: $0.baseAddress!, count: $0.count) }
    packet.flags |= AV_PKT_FLAG_KEY
    codec.thread_count = 1
    codec.max_pixels = mostPixels
    try FFmpeg.check(avcodec_open2(codec, decoder, nil), "open the decoder of pictures", file: path)
    try FFmpeg.check(avcodec_send_packet(codec, packet), "decode the picture", file: path)
    avcodec_send_packet(codec, nil)
    try FFmpeg.check(avcodec_receive_frame(codec, made), "decode the picture", file: path)
    frame = nil
    return made
  }

  private static func kind(of bytes: [UInt8]) -> AVCodecID? {
    if bytes.starts(with: [0xFF, 0xD8, 0xFF]) { return AV_CODEC_ID_MJPEG }
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return AV_CODEC_ID_PNG }
    return nil
  }
}

/// The order in which a person sorts names: by value for runs of digits, else by bytes.
enum NaturalOrder {
  static func precedes(_ a: String, _ b: String) -> Bool {
    var (x, y) = (Array(a.utf8)[...], Array(b.utf8)[...])
    while let first = x.first, let second = y.first {
      if isDigit(first), isDigit(second) {
        let (left, right) = (number(&x), number(&y))
        if left.count != right.count { return left.count < right.count }
        if left != right { return left.lexicographicallyPrecedes(right) }
      } else if first != second {
        return first < second
      } else {
        x.removeFirst()
        y.removeFirst()
      }
    }
    if x.isEmpty != y.isEmpty { return x.isEmpty }
    // `1.jpg` and `01.jpg` have equal numbers.
    return a.utf8.lexicographicallyPrecedes(b.utf8)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }

  /// Removes the leading run of digits, and returns it without leading zeros.
  private static func number(_ bytes: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    let digits = bytes.prefix(while: isDigit)
    bytes = bytes.dropFirst(digits.count)
    return digits.drop { $0 == 0x30 }
  }
}
