import CLMDB
import Foundation

/// A writer of an LMDB store through liblmdb, so that whatever reads LMDB can read it.
///
/// Entries are committed from time to time, so memory does not grow with the store. There is no
/// lock file: the folder must be the writer's own until `finish`. A writer that is released without
/// `finish` leaves what was committed.
public final class LMDBWriter {
  /// The store's folder.
  public let path: String
  /// The number of entries put so far.
  public private(set) var count = 0

  private var environment: OpaquePointer?
  private var transaction: OpaquePointer?
  private var database: MDB_dbi = 0
  private let commitInterval: Int
  private var pendingEntries = 0
  private var pendingBytes = 0
  private var mapSize: Int
  private let pageSize: Int

  /// The number of pending bytes at which a commit is due.
  private static let pendingLimit = 32 << 20

  /// Makes the folder `path`, or uses one that holds no store.
  ///
  /// - Parameters:
  ///   - commitInterval: the number of entries between commits.
  ///   - mapSize: the initial size of the map in bytes; it grows as needed.
  public init(path: String, commitInterval: Int = 1000, mapSize: Int = 64 << 20) throws {
    self.path = path
    self.commitInterval = max(1, commitInterval)
    pageSize = max(4096, sysconf(Int32(_SC_PAGESIZE)))
    self.mapSize = max(16 * pageSize, mapSize / pageSize * pageSize)
    if mkdir(path, 0o777) != 0, errno != EEXIST { throw DataError.system("make the folder", file: path) }
    guard access(path + "/data.mdb", F_OK) != 0 else {
      throw DataError("there is a store already", file: path, cure: "Remove it or write elsewhere")
    }
    var handle: OpaquePointer?
    try check(mdb_env_create(&handle), "make")
    environment = handle
    do {
      try check(mdb_env_set_mapsize(handle, self.mapSize), "make")
      let flags = MDB_NOLOCK | MDB_NOSYNC | MDB_NOTLS | MDB_NOMETASYNC
      try check(mdb_env_open(handle, path, UInt32(flags), 0o666), "make")
      try begin()
      try check(mdb_dbi_open(transaction, nil, 0, &database), "make")
    } catch {
      close()
      throw error
    }
  }

  deinit { close() }

  /// Adds an entry.
  ///
  /// - Parameter replacing: whether to replace the value of an existing key; otherwise that key
  ///   throws.
  public func put(_ key: String, _ value: [UInt8], replacing: Bool = false) throws {
    try put(key: Array(key.utf8), value, replacing: replacing)
  }

  /// Adds an entry.
  public func put(key: [UInt8], _ value: [UInt8], replacing: Bool = false) throws {
    guard environment != nil else { throw DataError("the store is finished already", file: path) }
    let limit = Int(mdb_env_get_maxkeysize(environment))
    let name = "key \"\(String(decoding: key.prefix(80), as: UTF8.self))\""
    guard !key.isEmpty, key.count <= limit else {
      throw DataError(
        "a key must have 1 to \(limit) bytes, this one has \(key.count)", file: path, place: name,
        cure: "Give that item a shorter id")
    }
    try makeRoom(for: value.count)
    var code: Int32 = 0
    key.withUnsafeBytes { key in
      value.withUnsafeBytes { value in
        var keyData = MDB_val(mv_size: key.count, mv_data: UnsafeMutableRawPointer(mutating: key.baseAddress))
        var valueData = MDB_val(
          mv_size: value.count, mv_data: UnsafeMutableRawPointer(mutating: value.baseAddress))
        code = mdb_put(transaction, database, &keyData, &valueData, UInt32(MDB_NOOVERWRITE))
        if code == MDB_KEYEXIST, replacing {
          // A rejected put makes `valueData` point at the existing value.
          valueData = MDB_val(
            mv_size: value.count, mv_data: UnsafeMutableRawPointer(mutating: value.baseAddress))
          code = mdb_put(transaction, database, &keyData, &valueData, 0)
        } else if code == 0 {
          count += 1
        }
      }
    }
    if code == MDB_KEYEXIST {
      throw DataError(
        "the key occurs twice", file: path, place: name, cure: "Give every item an id of its own")
    }
    try check(code, "write", place: name)
    pendingEntries += 1
    pendingBytes += cost(value.count)
    if pendingEntries >= commitInterval || pendingBytes >= Self.pendingLimit {
      try commit()
      try begin()
    }
  }

  /// Commits all entries, flushes them to disk and closes the store.
  public func finish() throws {
    guard environment != nil else { return }
    try commit()
    try check(mdb_env_sync(environment, 1), "write")
    close()
  }

  // MARK: - Transactions

  /// Returns the maximum number of bytes that an entry adds to the file: its pages and the path of
  /// pages to its key.
  private func cost(_ size: Int) -> Int { (size / pageSize + 8) * pageSize }

  /// Grows the map before it could be too small; liblmdb allows this only between transactions.
  private func makeRoom(for size: Int) throws {
    guard transaction == nil || cost(size) + pendingBytes > Self.pendingLimit else { return }
    if transaction != nil { try commit() }
    try begin(room: cost(size))
  }

  private func begin(room: Int = 0) throws {
    var info = MDB_envinfo()
    try check(mdb_env_info(environment, &info), "write")
    let used = (info.me_last_pgno + 1) * pageSize
    let needed = used + 2 * (Self.pendingLimit + room)
    if needed > mapSize {
      mapSize = max(needed, 2 * mapSize)
      try check(mdb_env_set_mapsize(environment, mapSize), "write")
    }
    try check(mdb_txn_begin(environment, nil, 0, &transaction), "write")
  }

  private func commit() throws {
    let open = transaction
    transaction = nil
    pendingEntries = 0
    pendingBytes = 0
    if let open { try check(mdb_txn_commit(open), "write") }
  }

  private func close() {
    if let transaction { mdb_txn_abort(transaction) }
    transaction = nil
    if let environment { mdb_env_close(environment) }
    environment = nil
  }

  /// Returns the likely cause of an error, since liblmdb reports a partial write as `EIO` or
  /// `ENOSPC`.
  /// - Parameters:
  ///   - free: the number of free bytes on the disk; nil if it is unknown.
  ///   - room: the number of bytes that the file may grow by (`ulimit -f`); nil if it is unlimited.
  static func cause(_ code: Int32, free: Int?, room: Int? = nil) -> Int32 {
    guard code == EIO || code == ENOSPC else { return code }
    if let free, free < pendingLimit { return ENOSPC }
    if let room, room < pendingLimit { return EFBIG }
    return code
  }

  /// The number of bytes that the store's file may grow by; nil if it is unlimited.
  private var room: Int? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0,
      let most = Int(exactly: limit.rlim_cur)
    else { return nil }
    var status = stat()
    return max(0, most - (stat("\(path)/data.mdb", &status) == 0 ? Int(status.st_size) : 0))
  }

  private func check(_ code: Int32, _ action: String, place: String? = nil) throws {
    if code == 0 { return }
    if code > 0 {
      let cause = Self.cause(code, free: DiskSpace.free(in: path), room: room)
      throw DataError.system("\(action) the store", file: path, code: cause).located(place: place)
    }
    throw DataError(
      "cannot \(action) the store: \(String(cString: mdb_strerror(code)))", file: path, place: place)
  }
}
