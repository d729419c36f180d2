import Formats

/// The lists of ids by video in a file such as `vid2clips.json`.
///
/// All lists lie end to end, beside the place where each begins.
struct VideoLists: Sendable {
  private let table: IdentifierTable
  /// The ids of all videos, video by video.
  let ids: [String]
  private let starts: [Int]

  /// - Parameter kind: the kind of the ids, for messages.
  init(path: String, of kind: String) throws {
    var table = IdentifierTable()
    var names: [String] = []
    var starts = [0]
    try JSON.readMembers(path: path) { video, list in
      let ids = list.array?.compactMap { $0.string ?? $0.int.map(String.init) }
      guard let ids, ids.count == list.array?.count, table.insert(video) == starts.count - 1 else {
        throw DataError(
          "not a list of \(kind) ids, or the second for that video", file: path, place: "key \"\(video)\"",
          cure: "Make the store again")
      }
      names += ids
      starts.append(names.count)
    }
    self.table = table
    ids = names
    self.starts = starts
  }

  /// Groups ids by their videos; skips an id without one.
  init(_ pairs: some Sequence<(video: String?, id: String)>) {
    var table = IdentifierTable()
    var lists: [[String]] = []
    for (video, id) in pairs {
      guard let video else { continue }
      let place = table.insert(video)
      if place == lists.count { lists.append([]) }
      lists[place].append(id)
    }
    self.table = table
    ids = lists.flatMap { $0 }
    starts = lists.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
  }

  /// The videos, in the file's order.
  var videos: [String] { table.names }

  /// Returns the ids of a video, in the file's order.
  func ids(of video: String) -> [String] {
    guard let number = table.number(of: video) else { return [] }
    return Array(ids[starts[number]..<starts[number + 1]])
  }
}
