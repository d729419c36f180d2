import CZlib

/// Sequential reading of gzip files.
public enum Gzip {
  private static let chunk = 1 << 18
  /// The maximum length of a line in bytes, beyond that of any text that is compressed line by
  /// line.
  private static let longestLine = 1 << 24

  /// Calls `body` with every line of the decompressed text, without its line feed.
  ///
  /// The bytes are valid only inside `body`. The file is decompressed in pieces, so memory grows
  /// only with the longest line.
  ///
  /// - Throws: `DataError` for a file that is missing, not gzip, truncated or damaged, or that has
  ///   a line of more than 16 MiB; and what `body` throws.
  public static func forEachLine(path: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let file = try Reader(path: path)
    try FileBytes.forEachLine(path: path, longest: longestLine) {
      try file.append(to: &$0)
    } _: {
      try body($0)
    }
  }

  /// A gzip file that is open for reading.
  final class Reader {
    private let file: gzFile
    private let path: String

    init(path: String) throws {
      guard let file = gzopen(path, "rb") else { throw DataError.system("open", file: path) }
      gzbuffer(file, UInt32(chunk))
      (self.file, self.path) = (file, path)
    }

    deinit { gzclose_r(file) }

    /// Decompresses a piece and returns the number of bytes added, 0 at the end.
    func append(to bytes: inout [UInt8]) throws -> Int { try Gzip.append(from: file, path: path, to: &bytes) }
  }

  /// Decompresses a piece and returns the number of bytes added, 0 at the end.
  private static func append(from file: gzFile, path: String, to bytes: inout [UInt8]) throws -> Int {
    let got = withUnsafeTemporaryAllocation(byteCount: chunk, alignment: 1) { buffer in
      let got = gzread(file, buffer.baseAddress, UInt32(chunk))
      bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<max(0, Int(got))]))
      return got
    }
    if gzdirect(file) != 0 { throw damaged(path, "is not a gzip file") }
    var code: Int32 = Z_OK
    let message = gzerror(file, &code).map { String(cString: $0) } ?? ""
    if got < 0 || code == Z_BUF_ERROR { throw damaged(path, "cannot be decompressed (\(message))") }
    return Int(got)
  }

  private static func damaged(_ path: String, _ problem: String) -> DataError {
    DataError(problem, file: path, cure: "The file is cut short, damaged or of another kind; get it again")
  }
}
