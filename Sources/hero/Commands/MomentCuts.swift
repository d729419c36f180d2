import Formats
import Foundation
import Search
import Training
import Vision

/// The moments of a search as separate files.
struct MomentCuts {
  /// The result of each moment, in order.
  private let results: [Result<VideoCut, DataError>]
  private let moments: [FoundMoment]
  private let folder: String

  /// Writes the files.
  ///
  /// Reports a moment that cannot be cut, and continues.
  /// - Throws: `Interruption` if a signal ends the work.
  init(_ moments: [FoundMoment], into folder: String) throws {
    InterruptHandler.install()
    (self.moments, self.folder) = (moments, folder)
    results = try moments.map { moment in
      do {
        return .success(try Self.cut(moment, into: folder))
      } catch let error as DataError {
        Console.standardError.print("not cut: \(error)")
        return .failure(error)
      }
    }
  }

  private static func cut(_ moment: FoundMoment, into folder: String) throws -> VideoCut {
    guard let file = moment.video.file else {
      throw DataError(
        "the index names no file of the video", file: moment.video.name,
        cure: "Make the index with --video-files, or from --videos")
    }
    switch file.state {
    case .there: break
    case .missing:
      throw DataError("the video's file is not there", file: file.path, cure: "Bring its disk or folder back")
    case .changed:
      throw DataError(
        "the video's file has changed since it was indexed", file: file.path,
        cure: "Bring the index up to date with the command that made it")
    }
    let name = VideoCut.name(
      of: moment.video.name, from: moment.start, to: moment.end, ending: try VideoCut.ending(of: file.path))
    return try VideoCut.write(
      file.path, from: moment.start, to: moment.end,
      into: folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
    ) { try InterruptHandler.check() }
  }

  /// A line for each file.
  var lines: [String] {
    zip(moments, results).compactMap { moment, result in
      guard let cut = try? result.get() else { return nil }
      let key = MomentFormat.clock(cut.begins)
      let exact = "shown from \(MomentFormat.clock(moment.start)) on; holds what is from \(key) on"
      return "\(cut.path): " + (cut.isExact ? exact : "begins at \(key), the key picture before the moment")
    }
  }

  /// Adds each moment's file as `cut` and the seconds at which it begins as `cut_begins`.
  ///
  /// Both are null for a moment without a file.
  func added(to answer: JSON) -> JSON {
    guard var object = answer.object, let list = answer["moments"]?.array, list.count == results.count else {
      return answer
    }
    object["moments"] = .array(
      zip(list, results).map { moment, result in
        var moment = moment.object ?? JSONObject()
        let cut = try? result.get()
        moment["cut"] = cut.map { .string($0.path) } ?? .null
        moment["cut_begins"] = cut.map { .double($0.begins) } ?? .null
        return .object(moment)
      })
    return .object(object)
  }

  /// Checks that a moment was cut.
  ///
  /// - Throws: `DataError` if there are moments and none could be cut.
  func requireOne() throws {
    guard !results.isEmpty, !results.contains(where: { (try? $0.get()) != nil }) else { return }
    throw DataError(
      results.count == 1
        ? "the moment could not be cut" : "none of the \(results.count) moments could be cut",
      file: folder, cure: "See the reasons above")
  }
}
