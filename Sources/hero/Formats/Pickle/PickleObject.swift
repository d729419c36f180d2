/// A value while the pickle is being run. Whatever can contain others is an object in the machine's table, so that
/// neither cycles nor deep nesting ever hang on reference counts.
enum PickleItem {
  /// A number, a text, bytes, or None.
  case value(PickleValue)
  case global(PickleGlobal)
  case object(Int)
}

/// An entry of the machine's table of objects.
struct PickleObject {
  enum Kind {
    case list, tuple, set
    /// `items` alternate between keys and values.
    case dictionary
    /// A call that was not made: `items` are its arguments.
    case call(PickleGlobal)
    /// A persistent id: `items` is the one value that says what is meant.
    case persistent
  }

  var kind: Kind
  var items: [PickleItem] = []
  /// What `BUILD` hands to the object, for calls that are understood only with it.
  var state: PickleItem?
  /// The opcode that made it.
  var position: Int
}

/// A name that a pickle may use, and what becomes of it. Every other name is refused.
enum PickleGlobal: Hashable {
  /// A constructor of a dictionary: `OrderedDict`, `dict`, `defaultdict`, `Counter`.
  case dictionary
  case defaultDictionary
  case list, tuple, set
  /// `_codecs.encode`, by which protocols 0 to 2 write bytes.
  case encode
  case bytes
  case numpyScalar, numpyReconstruct, numpyFromBuffer, numpyArray, numpyType
  case torchTensor, torchTensorV2, torchTensorV3, torchParameter, torchSize, torchDevice
  case torchStorage(ScalarType)
  /// A storage whose type the tensor names.
  case torchUntypedStorage
  /// A module of a TorchScript archive, of any class: its attributes are the state that `BUILD` hands to it.
  case torchScriptModule
  /// A name that stands for itself, such as `torch.float32` or `builtins.int`.
  case symbol(String)

  init?(module: String, name: String) {
    // Python 2 and 3, and numpy 1 and 2, call the same things by different modules.
    let home =
      switch module {
      case "__builtin__": "builtins"
      case let numpy where numpy.hasPrefix("numpy.core."):
        "numpy._core." + numpy.dropFirst("numpy.core.".count)
      default: module
      }
    if let known = Self.known["\(home).\(name)"] {
      self = known
    } else if home == "__torch__" || home.hasPrefix("__torch__.") {
      self = .torchScriptModule
    } else if home == "torch", let type = Self.storages[name] {
      self = .torchStorage(type)
    } else if home == "torch", ScalarType(rawValue: name) != nil {
      self = .symbol("torch.\(name)")
    } else {
      return nil
    }
  }

  private static let known: [String: PickleGlobal] = [
    "collections.OrderedDict": .dictionary, "collections.Counter": .dictionary, "builtins.dict": .dictionary,
    "collections.defaultdict": .defaultDictionary,
    "builtins.list": .list, "builtins.tuple": .tuple, "builtins.set": .set, "builtins.frozenset": .set,
    "builtins.bytes": .bytes, "builtins.bytearray": .bytes, "_codecs.encode": .encode,
    "builtins.int": .symbol("int"), "builtins.float": .symbol("float"), "builtins.str": .symbol("str"),
    "builtins.bool": .symbol("bool"),
    "numpy._core.multiarray.scalar": .numpyScalar, "numpy._core.multiarray._reconstruct": .numpyReconstruct,
    "numpy._core.numeric._frombuffer": .numpyFromBuffer, "numpy.ndarray": .numpyArray,
    "numpy.dtype": .numpyType,
    "torch._utils._rebuild_tensor": .torchTensor, "torch._utils._rebuild_tensor_v2": .torchTensorV2,
    "torch._utils._rebuild_tensor_v3": .torchTensorV3, "torch._utils._rebuild_parameter": .torchParameter,
    "torch.jit._pickle.build_intlist": .list, "torch.jit._pickle.build_doublelist": .list,
    "torch.jit._pickle.build_boollist": .list, "torch.jit._pickle.build_tensorlist": .list,
    "torch.Size": .torchSize, "torch.device": .torchDevice,
    "torch.storage.UntypedStorage": .torchUntypedStorage, "torch.UntypedStorage": .torchUntypedStorage,
  ]

  private static let storages: [String: ScalarType] = [
    "FloatStorage": .float32, "DoubleStorage": .float64, "HalfStorage": .float16,
    "BFloat16Storage": .bfloat16,
    "LongStorage": .int64, "IntStorage": .int32, "ShortStorage": .int16, "CharStorage": .int8,
    "ByteStorage": .uint8, "BoolStorage": .bool,
  ]
}
