import Formats
import Foundation

/// A reader under test.
package struct Target {
  /// Reads an input, and may throw a `DataError`.
  package let read: ([UInt8]) throws -> Void

  package init(_ read: @escaping ([UInt8]) throws -> Void) { self.read = read }

  /// Makes a target of a reader of files.
  package init(file read: @escaping (String) throws -> Void) {
    self.read = { bytes in
      try Self.write(bytes)
      try read(Self.path)
    }
  }

  /// Reads any input, which must end in a value or in a `DataError`.
  package func test(_ bytes: [UInt8]) {
    do {
      try read(bytes)
    } catch is DataError {
    } catch {
      fatalError("neither a value nor a DataError: \(error)")
    }
  }

  private static let path = NSTemporaryDirectory() + "hero-fuzz-\(ProcessInfo.processInfo.processIdentifier)"

  private static func write(_ bytes: [UInt8]) throws {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    precondition(file >= 0, "no room for the input at \(path)")
    defer { close(file) }
    precondition(bytes.withUnsafeBytes { Foundation.write(file, $0.baseAddress, $0.count) } == bytes.count)
  }
}
