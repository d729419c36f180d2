import CLMDB
import Foundation

/// Makes an LMDB store, by liblmdb, so that whatever reads LMDB can read it.
///
/// What is put is committed from time to time, so that memory does not grow with the store. No lock
/// file is made: the folder must be the writer's own until `finish`. A writer that is let go
/// without `finish` leaves what was committed.
public final class LMDBWriter {
  /// The store's folder.
  public let path: String
  /// Entries put so far.
  public private(set) var count = 0

  private var environment: OpaquePointer?
  private var transaction: OpaquePointer?
  private var database: MDB_dbi = 0
  private let commitInterval: Int
  private var pendingEntries = 0
  private var pendingBytes = 0
  private var mapSize: Int
  private let pageSize: Int

  /// A commit is due when this many bytes wait for one.
  private static let pendingLimit = 32 << 20

  /// Makes the folder `path`, or takes an empty one.
  ///
  /// - Parameters:
  ///   - commitInterval: the number of entries after which they are committed.
  ///   - mapSize: the bytes of address space to begin with; it grows as needed.
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
  /// - Parameter replacing: whether a value that the key has already is replaced; if not, it is an
  ///   error.
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
          // A refused put points its value at the one found.
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

  /// Commits what was put, makes sure that it is on the disk, and closes the store.
  public func finish() throws {
    guard environment != nil else { return }
    try commit()
    try check(mdb_env_sync(environment, 1), "write")
    close()
  }

  // MARK: - Transactions

  /// The most bytes of the file that an entry can take: its pages, and the path of pages that its
  /// key touches.
  private func cost(_ size: Int) -> Int { (size / pageSize + 8) * pageSize }

  /// Grows the map, which liblmdb allows between transactions only, before it could be too small.
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

  /// What was wrong. Where a part was taken of what was to be written, liblmdb says `EIO` or
  /// `ENOSPC`.
  /// - Parameters:
  ///   - free: bytes that are free on the disk; nil where that is not known.
  ///   - room: bytes that the file may grow by (`ulimit -f`); nil where nothing limits it.
  static func cause(_ code: Int32, free: Int?, room: Int? = nil) -> Int32 {
    guard code == EIO || code == ENOSPC else { return code }
    if let free, free < pendingLimit { return ENOSPC }
    if let room, room < pendingLimit { return EFBIG }
    return code
  }

  /// Bytes that the store's file may grow by; nil where nothing limits it.
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
