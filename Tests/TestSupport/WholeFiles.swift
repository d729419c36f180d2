import CLMDB
import Formats
import Foundation
import Metrics

// Reads and writes whole what the program handles piece by piece.

extension NDArray {
  /// Makes an array of 64-bit integers; `int64s.count` must be the product of `shape`.
  public init(int64s: [Int64], shape: [Int]) {
    do {
      try self.init(shape: shape, type: .int64, bytes: int64s.withUnsafeBytes { [UInt8]($0) })
    } catch {
      fatalError("\(error)")
    }
  }
}

extension Safetensors {
  /// Reads all tensors of the file at `path`, in the file's order, and its notes.
  public static func read(
    path: String
  ) throws -> (tensors: [(name: String, array: NDArray)], metadata: [String: String]) {
    let file = try SafetensorsFile(path: path)
    return (try file.entries.map { (name: $0.name, array: try file.array($0)) }, file.metadata)
  }

  /// Writes tensors that are in memory.
  public static func write(
    path: String, tensors: [(name: String, array: NDArray)], metadata: [String: String] = [:]
  ) throws {
    try write(
      path: path, list: tensors.map { (name: $0.name, type: $0.array.type, shape: $0.array.shape) },
      metadata: metadata
    ) { tensors[$0].array.bytes }
  }
}

extension WeightFile {
  /// Reads the model's parameters, in the file's order, by their own names.
  public func arrays() throws -> [(name: String, array: NDArray)] {
    try names.compactMap { name in try array(name).map { (name, $0) } }
  }
}

/// Reads every entry of an LMDB store in the order of its keys, by liblmdb itself.
public func storeEntries(_ folder: String) throws -> [(key: String, value: [UInt8])] {
  func check(_ code: Int32) throws {
    if code != 0 { throw DataError(String(cString: mdb_strerror(code)), file: folder) }
  }
  var environment: OpaquePointer?
  try check(mdb_env_create(&environment))
  defer { mdb_env_close(environment) }
  // The reference's stores ask for a terabyte of addresses, more than an emulator has.
  try check(mdb_env_set_mapsize(environment, FileBytes.read(path: folder + "/data.mdb").count))
  try check(mdb_env_open(environment, folder, UInt32(MDB_RDONLY | MDB_NOLOCK), 0))
  var transaction: OpaquePointer?
  try check(mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &transaction))
  defer { mdb_txn_abort(transaction) }
  var database: MDB_dbi = 0
  try check(mdb_dbi_open(transaction, nil, 0, &database))
  var cursor: OpaquePointer?
  try check(mdb_cursor_open(transaction, database, &cursor))
  defer { mdb_cursor_close(cursor) }
  func bytes(_ value: MDB_val) -> [UInt8] {
    [UInt8](UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size))
  }
  var entries: [(key: String, value: [UInt8])] = []
  var (key, value) = (MDB_val(), MDB_val())
  while mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0 {
    entries.append((String(decoding: bytes(key), as: UTF8.self), bytes(value)))
  }
  return entries
}

extension RetrievalResults {
  /// Reads a file of the reference's results, or of ours.
  public init(golden path: String) throws {
    let file = try JSON.read(path: path)
    self.init(videoIndex: [:], rankings: [])
    for (name, number) in file["video2idx"]?.object ?? [:] { videoIndex[name] = number.int }
    for ranking in file.object?.keys.compactMap(Ranking.init(rawValue:)) ?? [] {
      rankings.append((ranking, file[ranking.rawValue]?.array?.map(Self.query) ?? []))
    }
  }

  /// The predictions for a ranking, or nil where there are none.
  public subscript(ranking: Ranking) -> [QueryPredictions]? {
    rankings.first { $0.ranking == ranking }?.queries
  }

  private static func query(_ row: JSON) -> QueryPredictions {
    let predictions = (row["predictions"]?.array ?? []).map { prediction in
      let numbers = (prediction.array ?? []).compactMap(\.double)
      return MomentPrediction(
        video: Int(numbers[0]), start: Float(numbers[1]), end: Float(numbers[2]), score: Float(numbers[3]))
    }
    return QueryPredictions(id: QueryID(row["desc_id"]) ?? QueryID(""), predictions: predictions)
  }
}
