import Foundation

/// A reader of Python pickles, protocols 0 to 5, which never does what they ask for.
///
/// A pickle is a program. The reader runs the part that builds numbers, texts and containers. It
/// keeps a call as data, and interprets it later if it makes a numpy array or scalar, a torch
/// tensor or a plain container. It skips objects of other classes, and rejects a name that could
/// run something. Depth and size are bounded, so no pickle exhausts stack or memory.
///
/// Source: Python's `pickletools` (the opcodes and their meaning).
public enum Pickle {
  /// Decodes the value in `bytes`; errors name `file`.
  ///
  /// Throws `DataError`, naming the byte, if the pickle is damaged or asks for anything but data.
  public static func decode(_ bytes: [UInt8], file: String? = nil) throws -> PickleValue {
    try bytes.withUnsafeBytes { try decode($0, file: file).value }
  }

  /// Reads the value in the file at `path`.
  public static func read(path: String) throws -> PickleValue {
    try MappedFile(path: path).withBytes { try decode($0, file: path).value }
  }

  /// Decodes the first value in `buffer`, and returns it with the number of bytes that it took.
  static func decode(
    _ buffer: UnsafeRawBufferPointer, file: String?
  ) throws -> (value: PickleValue, byteCount: Int, elementSizes: [String: Int]) {
    try DataError.locating(file: file) {
      var machine = PickleMachine(buffer)
      let result = try machine.run()
      var reader = PickleInterpreter(objects: machine.objects, byteCount: machine.cursor.position)
      return (try reader.value(of: result), machine.cursor.position, try reader.elementSizes())
    }
  }
}
