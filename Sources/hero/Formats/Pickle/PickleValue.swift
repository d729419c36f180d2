/// A value that a pickle holds, which is always data.
public enum PickleValue: Equatable, Sendable {
  case none
  case bool(Bool)
  case int(Int)
  /// An integer beyond 64 bits: its two's complement, little-endian.
  case bigInteger([UInt8])
  case double(Double)
  case string(String)
  case bytes([UInt8])
  case list([PickleValue])
  case tuple([PickleValue])
  case set([PickleValue])
  /// A `dict`, `OrderedDict` or `defaultdict` in its order; a repeated text key has its last value.
  case dictionary([Entry])
  /// A numpy array; a numpy scalar becomes a plain `int`, `double` or `bool`.
  case array(NDArray)
  /// A torch tensor, which tells where in which storage its elements are.
  indirect case tensor(TorchTensor)
  /// A name that stands for itself, such as `torch.float32`.
  case symbol(String)
  /// An array of an unsupported kind, such as complex or quantized numbers, described for a
  /// message.
  case foreignArray(String)
  /// A Python object by the name of its class, such as `argparse.Namespace`; its content is not
  /// read.
  case object(String)

  /// One entry of a dictionary.
  public struct Entry: Equatable, Sendable {
    /// The key, which need not be a text in Python.
    public var key: PickleValue
    /// The value of the key.
    public var value: PickleValue
  }

  /// The text, if this is a string.
  public var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The number, if this is an integer that fits.
  public var int: Int? {
    if case .int(let number) = self { number } else { nil }
  }

  /// The number, if this is an integer or a float.
  public var double: Double? {
    switch self {
    case .double(let number): number
    case .int(let number): Double(number)
    default: nil
    }
  }

  /// The elements, if this is a list or a tuple.
  public var elements: [PickleValue]? {
    switch self {
    case .list(let elements), .tuple(let elements): elements
    default: nil
    }
  }

  /// The entries, if this is a dictionary.
  public var entries: [Entry]? {
    if case .dictionary(let entries) = self { entries } else { nil }
  }

  /// The value under a text key, if this is a dictionary that has it.
  public subscript(key: String) -> PickleValue? {
    entries?.last { $0.key == .string(key) }?.value
  }
}

/// A tensor as a view of a storage.
///
/// Element `i, j, …` is number `offset + i·strides[0] + j·strides[1] + …` of the storage.
public struct TorchTensor: Equatable, Sendable {
  /// The storage that holds the elements, which several tensors may share.
  public var storage: TorchStorage
  /// The number of the first element in the storage.
  public var offset: Int
  /// The size of each dimension.
  public var shape: [Int]
  /// The stride of each dimension, in elements.
  public var strides: [Int]
}

/// A run of elements of one type that a checkpoint holds under a key.
public struct TorchStorage: Hashable, Sendable {
  /// The checkpoint's key of the storage.
  public var key: String
  /// The type of the elements.
  public var type: ScalarType
  /// The number of elements that a tensor may refer to.
  public var count: Int
  /// The number of the first element in the storage of that key; older checkpoints hold views.
  public var start: Int
}
