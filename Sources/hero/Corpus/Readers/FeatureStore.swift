import Formats
import Foundation
import Synchronization

/// The frames of one video.
public struct FrameFeatures: Sendable, Equatable {
  /// The number of frames.
  public let count: Int
  /// The number of features per frame.
  public let width: Int
  /// The features, [count, width], row-major.
  public let values: [Float]
}

/// All frames of one video, in the precision of the store.
struct StoredFeatures: Sendable {
  let video: String
  /// The path of the store.
  let file: String
  /// The number of frames.
  let count: Int
  /// The number of features per frame.
  let width: Int
  let array: NDArray

  /// Returns some of the frames.
  ///
  /// Throws `DataError` naming the video if one of them holds a value that is not finite.
  func frames(_ rows: Range<Int>) throws -> FrameFeatures {
    try DataError.locating(file: file, place: "video \"\(video)\"") {
      let values = try array.rows(rows).floats()
      if let place = values.firstNotFinite {
        throw DataError(
          "frame \(rows.lowerBound + place / width) holds \(values[place]), which is no feature",
          cure: "Extract its features again, or leave its items out")
      }
      return FrameFeatures(count: rows.count, width: width, values: values)
    }
  }
}

/// A store of video features, which threads may share.
///
/// Source: `VideoFeatLmdb` of the reference. A value is MessagePack with an array in msgpack-numpy
/// form, an `.npz` or an `.npy`. It may be compressed with Zstandard or LZ4. Its first bytes tell
/// which.
public final class FeatureStore: Sendable {
  /// The LMDB folder.
  public let path: String
  private let reader: LMDBReader
  private let table: IdentifierTable
  private let frameCounts: [Int32]
  /// The file that lists the videos.
  private let listPath: String
  /// The numbers of the listed videos that the store lacks.
  private let absent: Set<Int>
  /// The number of missing videos for which a similar name was searched.
  private let looked = Mutex(0)
  /// The number of features per frame that most of a few videos have.
  private let knownWidth = Mutex<Int?>(nil)

  /// Opens a store; reads only `id2nframe.json`, or the file of its interval, `id2nframe_1.5.json`.
  ///
  /// - Parameters:
  ///   - path: the LMDB folder itself, or the folder of a data set such as `video_db/tv` with
  ///     `id2nframe.json` and `{featureVersion}_{frameLength}[_compressed]` in it.
  ///   - featureVersion: `feat_version`, such as `resnet_slowfast`.
  ///   - frameLength: `vfeat_interval`, seconds per frame. Both `_2` and `_2.0` are found.
  ///   - compressed: `compressed_db`. Where only the other kind exists, that is taken.
  public init(
    path: String, featureVersion: String = "resnet_slowfast", frameLength: Double = 1.5,
    compressed: Bool = false
  ) throws {
    let folder = try Self.locate(
      (path as NSString).lastPathComponent == "data.mdb" && !FileManager.default.isFolder(path)
        ? URL(fileURLWithPath: path).deletingLastPathComponent().path : path, featureVersion: featureVersion,
      frameLength: frameLength, compressed: compressed)
    self.path = folder
    reader = try LMDBReader(path: folder)
    let sideFile = try Self.sideFile(of: folder)
    listPath = sideFile
    (table, frameCounts) = try IdentifierTable.frameCounts(path: sideFile)
    absent = try Self.absent(from: reader, table)
    Self.tellDifference(
      absent.sorted().map { table.names[$0] }, reader.count, table, list: sideFile, store: folder)
  }

  /// Returns the numbers of the listed videos that the store lacks.
  ///
  /// Looks for a few names spread over the list. Looks for every name if one of these is missing or
  /// if the counts differ.
  private static func absent(from reader: LMDBReader, _ table: IdentifierTable) throws -> Set<Int> {
    func isAbsent(_ number: Int) throws -> Bool { try !reader.contains(table.names[number]) }
    let step = max(1, table.count / 64)
    if reader.count == table.count,
      try !stride(from: 0, to: table.count, by: step).contains(where: isAbsent)
    {
      return []
    }
    return Set(try (0..<table.count).filter(isAbsent))
  }

  private static func tellDifference(
    _ absent: [String], _ entries: Int, _ table: IdentifierTable, list: String, store: String
  ) {
    if let first = absent.first {
      Notice.tell(
        "\(list): \(absent.count) of its \(table.count) videos are not in \(store), such as "
          + "\(first.spelled); they are left out")
    }
    let unlisted = entries - (table.count - absent.count)
    if unlisted > 0 {
      Notice.tell(
        "\(list): \(unlisted) of the \(entries) videos in \(store) are not listed; "
          + "they are left out")
    }
    if let note = Normalization.note(among: table.names, in: list) { Notice.tell(note) }
  }

  private static func locate(
    _ path: String, featureVersion: String, frameLength: Double, compressed: Bool
  ) throws -> String {
    let files = FileManager.default
    guard files.fileExists(atPath: path) else {
      throw DataError("there is no such feature store", file: path, cure: DataError.missingCure(path))
    }
    // A store made with `subdir=False` is a file.
    func isStore(_ path: String) -> Bool {
      files.fileExists(atPath: path + "/data.mdb") || files.fileExists(atPath: path) && !files.isFolder(path)
    }
    if isStore(path) { return path }
    let repr = PythonNumber.repr(frameLength)
    let numbers = [
      repr.hasSuffix(".0") ? String(repr.dropLast(2)) : repr, repr, String(format: "%g", frameLength),
    ]
    let endings = compressed ? ["_compressed", ""] : ["", "_compressed"]
    var names: [String] = []
    for name in endings.flatMap({ ending in numbers.map { "\(featureVersion)_\($0)\(ending)" } })
    where !names.contains(name) { names.append(name) }
    for name in names where isStore("\(path)/\(name)") { return "\(path)/\(name)" }
    let others = ((try? FolderNames(path: path).entries) ?? []).map(\.name).filter {
      files.fileExists(atPath: "\(path)/\($0)/data.mdb")
    }
    throw DataError(
      "no feature store \(names.joined(separator: ", nor ")) in this folder"
        + (others.isEmpty ? "" : "; it has \(others.prefix(20).joined(separator: ", "))"),
      file: path,
      cure: others.isEmpty && FeatureVersion.parts(of: featureVersion) == nil
        ? "Check the feature version and the seconds per frame, or give the folder that holds data.mdb; known "
          + "versions are \(FeatureVersion.known)"
        : "Check the feature version and the seconds per frame, or give the folder that holds data.mdb")
  }

  private static func sideFile(of folder: String) throws -> String {
    guard let file = FrameCountFile.find(store: folder) else {
      throw DataError(
        "there is no \(FrameCountFile.names(store: folder).reversed().joined(separator: " or ")) beside this folder",
        file: folder, cure: "Copy it from where the store was made, or make the store again")
    }
    return file
  }

  // MARK: - Side file

  /// The videos, in the order of `id2nframe.json`.
  public var videos: [String] { table.names }

  /// Returns whether both the list and the store have a video.
  public func contains(_ video: String) -> Bool { number(of: video).map { !absent.contains($0) } ?? false }

  /// Returns a video's place in `videos`.
  ///
  /// Stores are written in that order, so neighbours lie on neighbouring pages.
  public func number(of video: String) -> Int? { table.number(of: video) }

  /// Returns the number of frames that `id2nframe.json` lists for a video, or nil if it lists none.
  public func frameCount(of video: String) -> Int? { table.number(of: video).map { Int(frameCounts[$0]) } }

  /// Returns every video's place among the names sorted by code points, as Python sorts them.
  public func sortedNumbers() -> [Name: Int] {
    let sorted = table.names.lazy.map { Name($0) }.sorted()
    return Dictionary(zip(sorted, sorted.indices)) { first, _ in first }
  }

  /// The most searches for a similar name: each goes over all names, and messages show only a few.
  private static let mostLooks = 64

  /// Returns the error for a video that the store lacks.
  func missing(_ video: String) -> DataError {
    let looks = looked.withLock { count in
      count += 1
      return count <= Self.mostLooks
    }
    let twin = looks ? SimilarNames.hint(missing: [video], among: table.names) : nil
    return DataError(
      "the feature store lacks a video that is asked for" + (twin.map { "; \($0)" } ?? ""), file: path,
      place: "video \"\(video)\"", cure: "Convert its features, or leave its items out")
  }

  // MARK: - Values

  /// Returns the number of features per frame.
  ///
  /// Throws `DataError` if no video of the store can be read.
  public func width() throws -> Int {
    if let width = knownWidth.withLock({ $0 }) { return width }
    let present = table.names.indices.lazy.filter { !self.absent.contains($0) }
    guard present.first != nil else {
      let twin = SimilarNames.hint(missing: try reader.someKeys(), among: table.names)
      throw DataError(
        table.count == 0 || reader.count == 0
          ? "the feature store is empty: \(reader.count) videos, \(table.count) in \(listPath)"
          : "has none of the \(table.count) videos that \(listPath) lists" + (twin.map { "; \($0)" } ?? ""),
        file: path, cure: "Make both by one convert-videodb")
    }
    let width = try majority(
      of: Array(present.prefix(1)) + spread(over: table.count).filter { !absent.contains($0) })
    knownWidth.withLock { $0 = $0 ?? width }
    return width
  }

  /// Returns the places of a few videos that are spread over `count`.
  private func spread(over count: Int) -> [Int] { (1...8).map { $0 * (count - 1) / 8 } }

  /// Returns the first width that two of some videos share, or else that of the first readable
  /// video.
  /// - Throws: `DataError` for the first of them if none can be read.
  private func majority(of numbers: [Int]) throws -> Int {
    var (seen, first, problem): (Set<Int>, Int?, (any Error)?) = ([], nil, nil)
    var last: Int?
    for number in numbers where number != last {
      last = number
      do {
        let width = try matrix(of: table.names[number]).shape[1]
        if !seen.insert(width).inserted { return width }
        first = first ?? width
      } catch {
        problem = problem ?? error
      }
    }
    if let first { return first }
    throw problem ?? DataError("no video of it can be read", file: path)
  }

  /// Returns the first frames of a video, no more than `id2nframe.json` lists.
  ///
  /// The reference cuts there too.
  ///
  /// - Parameter maxFrames: the most frames to return; nil for all.
  ///
  /// Throws `DataError` naming the video if it is missing or malformed, or has no frames. Also
  /// throws if a value is not finite or the width differs from that of the others.
  public func features(of video: String, maxFrames: Int? = nil) throws -> FrameFeatures {
    let stored = try stored(of: video)
    return try stored.frames(0..<min(stored.count, max(1, maxFrames ?? stored.count)))
  }

  /// Returns all frames of a video as stored.
  ///
  /// Throws `DataError` naming the video if it is missing or malformed, has no frames, or differs
  /// in width from the others.
  func stored(of video: String) throws -> StoredFeatures {
    let array = try matrix(of: video)
    let (frames, width) = (array.shape[0], array.shape[1])
    try DataError.locating(file: path, place: "video \"\(video)\"") { try check(width: width) }
    let listed = table.number(of: video).map { Int(frameCounts[$0]) } ?? frames
    if listed != frames { tell(listed: listed, rows: frames, of: video) }
    return StoredFeatures(
      video: video, file: path, count: listed > 0 ? min(frames, listed) : frames, width: width, array: array)
  }

  /// Returns the frames of a video as its value holds them.
  private func matrix(of video: String) throws -> NDArray {
    guard let bytes = try reader.get(video) else { throw missing(video) }
    return try DataError.locating(file: path, place: "video \"\(video)\"") {
      let array = try Self.array(in: try Compression.decompress(bytes), file: path)
      guard array.shape.count == 2, array.type.isFloatingPoint else {
        throw DataError(
          "features of shape \(array.shape) and type \(array.type), where frames × width of floats are needed",
          cure: "Convert its features again")
      }
      guard array.shape.allSatisfy({ $0 > 0 }) else {
        throw DataError("the video has no frames", cure: "Convert its features again, or leave its items out")
      }
      return array
    }
  }

  /// Returns a hash of a video's value, which shows whether the value has changed.
  ///
  /// The hash covers the length and up to eight pages spread over the value.
  ///
  /// Throws `DataError` if the video is missing.
  public func mark(of video: String) throws -> String {
    guard let bytes = try reader.get(video) else { throw missing(video) }
    let (page, places) = (4096, 8)
    var hash = ContentHash()
    hash.update(UInt64(bytes.count).littleEndianBytes)
    bytes.withUnsafeBytes { bytes in
      guard bytes.count > page * places else { return hash.update(bytes) }
      for place in 0..<places {
        let start = (bytes.count - page) / (places - 1) * place
        hash.update(UnsafeRawBufferPointer(rebasing: bytes[start..<start + page]))
      }
    }
    return hash.text
  }

  private func tell(listed: Int, rows: Int, of video: String) {
    Notice.tell(
      "\(listPath): lists \(listed) frames of \(video.spelled), of which \(path) has \(rows) rows; "
        + "\(listed > 0 ? "the first \(min(listed, rows))" : "all") count. Make both by one convert-videodb",
      among: "videos of \(listPath) with other numbers of rows")
  }

  private func check(width: Int) throws {
    let expected = try self.width()
    if width != expected {
      throw DataError(
        "its frames have \(width) features, those of other videos \(expected)",
        cure: "Convert all videos alike")
    }
  }

  private static func array(in content: [UInt8], file: String) throws -> NDArray {
    if content.starts(with: [0x93] + Array("NUMPY".utf8)) { return try NPY.decode(content, file: file) }
    if content.isEmpty { throw DataError("the value is empty", cure: "Convert its features again") }
    if NPZ.recognizes(content) { return try NPZ.read(bytes: content, name: "features", file: file) }
    let value: MessagePack
    do { value = try MessagePack.decode(content) } catch let error as DataError {
      throw DataError(
        error.problem, place: error.place,
        cure: "Make the store by convert-videodb: a value is MessagePack, .npz or .npy"
      ).naming(FileKind(head: content.prefix(FileKind.headLength)))
    }
    guard let features = value["features"] else {
      throw DataError("the value has no \"features\"", cure: "Convert its features again")
    }
    return try MessagePackNumpy.decode(features)
  }
}
