import CFFmpeg
import Formats

/// FFmpeg's libraries, which hero loads at the first use.
enum FFmpeg {
  /// Loads the libraries; throws `DataError` if they are not installed.
  static func load() throws {
    if let problem = hero_ffmpeg_load() {
      throw DataError(
        "FFmpeg's libraries could not be loaded (\(String(cString: problem)))",
        cure: "Install FFmpeg 5.1 or later: apt-get install ffmpeg")
    }
  }

  /// Returns FFmpeg's description of an error code.
  static func text(_ code: Int32) -> String {
    var text = [CChar](repeating: 0, count: 128)
    av_strerror(code, &text, text.count)
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Throws `DataError` if FFmpeg's `code` is an error, else returns it.
  @discardableResult
  static func check(_ code: Int32, _ action: String, file: String) throws -> Int32 {
    guard code < 0 else { return code }
    throw DataError("cannot \(action): \(text(code))", file: file)
  }

  static let noTime = hero_av_no_timestamp()
}

extension AVRational {
  /// The quotient, or nil if the denominator is 0.
  var value: Double? { den == 0 ? nil : Double(num) / Double(den) }
}
