import CLZ4
import CZstd
import Synchronization

/// The compression of a store's values.
public enum Compression: String, CaseIterable, Sendable {
  case none
  /// LZ4 frames, byte for byte as Python's `lz4.frame.compress(value)` makes them.
  case lz4
  /// Zstandard frames of level 3 with a checksum.
  case zstd

  /// Returns `bytes` compressed.
  public func compress(_ bytes: [UInt8]) throws -> [UInt8] {
    switch self {
    case .none: bytes
    case .lz4: try Self.compressLZ4(bytes)
    case .zstd: try Self.compressZstandard(bytes)
    }
  }

  /// The default limit of decompressed output in bytes: 1 GiB, a day of features.
  public static let defaultLimit = 1 << 30

  /// Decompresses a Zstandard or LZ4 frame, told by its first bytes, or returns other bytes
  /// unchanged.
  ///
  /// - Parameter limit: the maximum size in bytes of decompressed output, so that a small value
  ///   cannot exhaust memory.
  public static func decompress(_ bytes: [UInt8], limit: Int = defaultLimit) throws -> [UInt8] {
    switch detect(bytes) {
    case .none: bytes
    case .lz4: try decompressLZ4(bytes, limit: limit)
    case .zstd: try decompressZstandard(bytes, limit: limit)
    }
  }

  /// Detects the compression of `bytes` from the first four.
  public static func detect(_ bytes: [UInt8]) -> Compression {
    if bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) { return .zstd }
    return bytes.starts(with: [0x04, 0x22, 0x4D, 0x18]) ? .lz4 : .none
  }

  private static let cure = "The store is damaged; make or download it again"

  /// A buffer that grows as the decoder fills it, to at most one byte beyond `limit`.
  private struct Output {
    let limit: Int
    var bytes: [UInt8]
    var count = 0

    init(input: Int, limit: Int) {
      self.limit = limit
      bytes = [UInt8](repeating: 0, count: min(limit + 1, max(4096, 4 * input)))
    }

    mutating func makeRoom() throws {
      if count > limit {
        throw DataError("decompresses to more than \(limit) bytes", cure: Compression.cure)
      }
      if count == bytes.count {
        let room = min(bytes.count, limit + 1 - count)
        bytes.append(contentsOf: repeatElement(0, count: room))
      }
    }

    consuming func finished() throws -> [UInt8] {
      if count > limit {
        throw DataError("decompresses to more than \(limit) bytes", cure: Compression.cure)
      }
      bytes.removeLast(bytes.count - count)
      return bytes
    }
  }

  // MARK: - LZ4

  private static func compressLZ4(_ bytes: [UInt8]) throws -> [UInt8] {
    var preferences = LZ4F_preferences_t()
    preferences.frameInfo.contentSize = UInt64(bytes.count)
    var output = [UInt8](repeating: 0, count: LZ4F_compressFrameBound(bytes.count, &preferences))
    let size = LZ4F_compressFrame(&output, output.count, bytes, bytes.count, &preferences)
    try checkLZ4(size)
    output.removeLast(output.count - size)
    return output
  }

  private static func checkLZ4(_ code: Int) throws {
    if LZ4F_isError(code) != 0 {
      throw DataError("LZ4: \(String(cString: LZ4F_getErrorName(code)))", cure: cure)
    }
  }

  private static func decompressLZ4(_ bytes: [UInt8], limit: Int) throws -> [UInt8] {
    var context: OpaquePointer?
    try checkLZ4(LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION)))
    defer { LZ4F_freeDecompressionContext(context) }
    var output = Output(input: bytes.count, limit: limit)
    var position = 0
    while true {
      try output.makeRoom()
      var produced = output.bytes.count - output.count
      var consumed = bytes.count - position
      let hint = bytes.withUnsafeBytes { input in
        output.bytes.withUnsafeMutableBytes { room in
          LZ4F_decompress(
            context, room.baseAddress.map { $0 + output.count }, &produced,
            input.baseAddress.map { $0 + position }, &consumed, nil)
        }
      }
      try checkLZ4(hint)
      output.count += produced
      position += consumed
      if hint == 0 { break }
      if produced == 0, consumed == 0 { throw DataError("LZ4: the frame ends early", cure: cure) }
    }
    if position < bytes.count { throw DataError("LZ4: there are more bytes after the frame", cure: cure) }
    return try output.finished()
  }

  // MARK: - Zstandard

  private static func checkZstandard(_ code: Int) throws {
    if ZSTD_isError(code) != 0 {
      throw DataError("Zstandard: \(String(cString: ZSTD_getErrorName(code)))", cure: cure)
    }
  }

  private static func compressZstandard(_ bytes: [UInt8]) throws -> [UInt8] {
    guard let context = ZSTD_createCCtx() else { throw DataError("Zstandard: out of memory") }
    defer { ZSTD_freeCCtx(context) }
    try checkZstandard(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1))
    var output = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
    let size = ZSTD_compress2(context, &output, output.count, bytes, bytes.count)
    try checkZstandard(size)
    output.removeLast(output.count - size)
    return output
  }

  private static func decompressZstandard(_ bytes: [UInt8], limit: Int) throws -> [UInt8] {
    guard let decoder = ZstandardDecoder.take() else { throw DataError("Zstandard: out of memory") }
    defer { decoder.rest() }
    let context = decoder.context
    var output = Output(input: bytes.count, limit: limit)
    return try bytes.withUnsafeBytes { raw in
      var input = ZSTD_inBuffer(src: raw.baseAddress, size: raw.count, pos: 0)
      while true {
        try output.makeRoom()
        let before = (output.count, input.pos)
        let hint = output.bytes.withUnsafeMutableBytes { room in
          var buffer = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: output.count)
          defer { output.count = buffer.pos }
          return ZSTD_decompressStream(context, &buffer, &input)
        }
        try checkZstandard(hint)
        if hint == 0, input.pos == input.size { return try output.finished() }
        if before == (output.count, input.pos) {
          throw DataError("Zstandard: the frame ends early", cure: cure)
        }
      }
    }
  }
}

/// A reusable decoder with its working memory of 160 kB.
///
/// Allocating and clearing that memory takes as long as decompressing a video's features.
private final class ZstandardDecoder: @unchecked Sendable {
  let context: OpaquePointer

  private static let resting = Mutex<[ZstandardDecoder]>([])
  /// The maximum number of decoders that are kept, and the maximum size in bytes of each.
  private static let (most, largest) = (8, 4 << 20)

  private init?() {
    guard let context = ZSTD_createDCtx() else { return nil }
    self.context = context
  }

  deinit { ZSTD_freeDCtx(context) }

  /// Returns an unused decoder in its initial state; nil if there is no memory for it.
  static func take() -> ZstandardDecoder? {
    resting.withLock { $0.popLast() } ?? ZstandardDecoder()
  }

  /// Resets the decoder and keeps it for reuse, unless it has grown too large.
  func rest() {
    ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters)
    guard ZSTD_sizeof_DCtx(context) <= Self.largest else { return }
    Self.resting.withLock { if $0.count < Self.most { $0.append(self) } }
  }
}
