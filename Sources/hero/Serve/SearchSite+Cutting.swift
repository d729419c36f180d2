import FlyingFox
import Formats
import Foundation
import Search
import Vision

extension SearchSite {
  /// Answers with a moment as a file to save.
  ///
  /// A few cuts run at a time, each within ``ServerLimits``. The file is unlinked before it is
  /// sent, so it never remains on the disk.
  func cut(_ number: Int, _ parameters: RequestParameters) async throws -> HTTPResponse {
    guard let span = try parameters.span() else {
      throw RefusedRequest(status: 400, reason: "\"start\" and \"end\" are missing")
    }
    guard span.end - span.start <= limits.cutMoment else {
      throw RefusedRequest(status: 400, reason: "a moment of \(Int(limits.cutMoment)) s is cut at most")
    }
    let video = try searcher.index.video(number)
    guard let file = video.file else {
      throw RefusedRequest(status: 404, reason: "the index names no file for this video")
    }
    guard file.state == .there else {
      throw RefusedRequest(
        status: 404, reason: "the video's file is missing, or has changed since it was indexed")
    }
    defer { cutting.value.subtract(1, ordering: .relaxed) }
    guard cutting.value.add(1, ordering: .relaxed).newValue <= limits.cuts else {
      throw RefusedRequest(status: 503, reason: "too many moments are being cut already")
    }
    let made: (file: OpenedFile, name: String) = try await withCheckedThrowingContinuation { waiter in
      DispatchQueue.global().async { [scratch, limits] in
        waiter.resume(with: Result { try Self.file(of: file.path, video.name, span, in: scratch, limits) })
      }
    }
    let headers: HTTPHeaders = [
      .contentType: FileAnswer.contentType(of: made.name), .cacheControl: "no-store",
      HTTPHeader("Content-Disposition"): FileAnswer.attachment(made.name),
    ]
    return HTTPResponse(
      statusCode: .ok, headers: headers,
      body: HTTPBodySequence(
        from: OpenedFile.Bytes(file: made.file, range: 0..<made.file.size), count: made.file.size,
        suggestedBufferSize: limits.chunkBytes))
  }

  private static func file(
    of path: String, _ video: String, _ span: TimeSpan, in scratch: String, _ limits: ServerLimits
  ) throws -> (file: OpenedFile, name: String) {
    let folder = "\(scratch)/hero-cut-\(UUID().uuidString)"
    guard mkdir(folder, 0o700) == 0 else { throw DataError.system("make the folder", file: folder) }
    defer { rmdir(folder) }
    var most = VideoCut.Limits()
    (most.moment, most.bytes, most.time) = (limits.cutMoment, limits.cutBytes, limits.cutSeconds)
    do {
      let ending = try VideoCut.ending(of: path)
      let cut = try VideoCut.write(
        path, from: span.start, to: span.end, into: "\(folder)/moment.\(ending)", limits: most)
      defer { unlink(cut.path) }
      let name = VideoCut.name(of: video, from: span.start, to: span.end, ending: ending)
      return (try OpenedFile(.init(path: cut.path, size: cut.bytes)), name)
    } catch let error as DataError {
      // The message omits the paths of this machine.
      throw RefusedRequest(status: 422, reason: "the moment cannot be cut: \(error.problem)")
    }
  }
}
