import Corpus
import Formats
import Foundation

/// The list of HERO_Video_Feature_Extractor's scripts: a table of `video_path` and `feature_path`.
struct ExtractorList {
  /// The paths of the videos, in the list's order.
  let videos: [String]
  /// The path of each video's features.
  let files: [Name: String]

  /// Reads a list.
  ///
  /// - Parameter onLeftOut: called with a line for each row that is skipped.
  /// - Throws: `DataError` where a column is missing or no row is left.
  init(path: String, onLeftOut: (String) -> Void) throws {
    var columns: (video: Int, file: Int)?
    var videos: [String] = []
    var files: [Name: String] = [:]
    var owners: [Name: String] = [:]
    try CSVRecords.read(path: path) { line, record in
      let place = "\(path), line \(line)"
      let row: [String]
      switch record {
      case .success(let fields): row = fields.map { $0.trimmingCharacters(in: .whitespaces) }
      case .failure(let reason): return onLeftOut("\(place): \(reason.reason)")
      }
      guard let (video, file) = columns else {
        guard let video = row.firstIndex(of: "video_path"), let file = row.firstIndex(of: "feature_path")
        else {
          throw DataError(
            "the first row is \(row.prefix(4).joined(separator: ",")), without the columns video_path and feature_path",
            file: path, place: "line \(line)",
            cure: "Give the list of gather_video_paths.py, or videos on the command line")
        }
        columns = (video, file)
        return
      }
      guard row.indices.contains(max(video, file)), !row[video].isEmpty, !row[file].isEmpty else {
        return onLeftOut("\(place): has no video_path or no feature_path")
      }
      let (source, target) = (row[video], row[file].hasSuffix(".npz") ? row[file] : row[file] + ".npz")
      if let other = files[Name(source)] {
        // A repeated row counts once.
        if !other.hasSameBytes(as: target) {
          onLeftOut("\(place): \(source) is listed before, for \(other). Give it a list of its own")
        }
      } else if let other = owners[Name(target)] {
        onLeftOut("\(place): \(target) is the file of \(other). Give it another")
      } else {
        videos.append(source)
        files[Name(source)] = target
        owners[Name(target)] = source
      }
    }
    guard !videos.isEmpty else {
      throw DataError("no row of it names a video and a file", file: path, cure: "See the lines above")
    }
    (self.videos, self.files) = (videos, files)
  }
}
