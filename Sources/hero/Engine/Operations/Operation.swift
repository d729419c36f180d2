/// A piece of a device's work, as a value.
///
/// One file has an operation's fields, the shapes that it takes, the memory that it reads and
/// writes, and how each device does it. A device's `run(_:)` checks an operation and then calls the
/// `run(on:)` of its own; a new device is a line here and an extension of every operation.
///
/// Shapes are preconditions: a mismatch is a programmer's error, what comes from files was checked
/// before. Outputs are written whole unless a `GradientTarget` says to accumulate. No operation
/// allocates beyond the backend's reused buffers, none waits for the device, and none depends on
/// how sequences are batched.
public protocol Operation {
  /// Ends the program where shapes or row numbers do not fit.
  func check()
  /// The memory that is read.
  var reads: [(any Operand)?] { get }
  /// The memory that is written. Of what a `GradientTarget` adds to, the earlier contents are read.
  var writes: [(any Operand)?] { get }
  /// Rows, inner size and columns of a product; rows and columns of what else has any.
  var shape: [Int] { get }

  func run(on cpu: CPUBackend)
  func run(on gpu: CUDABackend)
}

extension Operation {
  /// The shape of what is read first.
  public var shape: [Int] { (reads.first ?? nil)?.shape ?? [] }

  /// Bytes that must be read and written, each once.
  var bytes: Int { (reads + writes).reduce(0) { $0 + ($1?.bytes ?? 0) } }

  /// In words: `LayerNormBackward` is "layer norm backward".
  static var name: String {
    var words = ""
    for letter in "\(Self.self)" {
      words += letter.isUppercase ? (words.isEmpty ? "" : " ") + letter.lowercased() : String(letter)
    }
    return words
  }
}

/// Memory that an operation reads or writes.
public protocol Operand {
  var storage: Storage { get }
  /// Bytes that pass when the operation reads or writes it.
  var bytes: Int { get }
  var shape: [Int] { get }
}

extension Tensor: Operand {
  /// Elements times the size of one.
  public var bytes: Int { count * storage.type.size }
  /// [rows, columns]
  public var shape: [Int] { [rows, columns] }
}

extension Indices: Operand {
  /// 4 for each number.
  public var bytes: Int { count * storage.type.size }
  /// [1, count]
  public var shape: [Int] { [1, count] }
}

extension GradientTarget: Operand {
  /// The tensor's.
  public var storage: Storage { tensor.storage }
  /// Written, and read before that where something is added to it.
  public var bytes: Int { tensor.bytes * (accumulate ? 2 : 1) }
  /// The tensor's.
  public var shape: [Int] { tensor.shape }
}

/// Some of the elements of a tensor.
struct Part: Operand {
  let tensor: Tensor
  let count: Int

  init(_ tensor: Tensor, count: Int) { (self.tensor, self.count) = (tensor, count) }

  var storage: Storage { tensor.storage }
  var bytes: Int { count * tensor.storage.type.size }
  var shape: [Int] { tensor.shape }
}
