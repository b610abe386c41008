#include "anneal/data/tokenise.hpp"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

#include "anneal/base/background_thread.hpp"
#include "anneal/base/error.hpp"

namespace anneal {
namespace {

// Some neighbouring pieces that one thread encodes.
struct Parcel {
  std::vector<Piece> pieces;
  size_t used = 0;  // of `pieces`; the others only keep their memory
  std::vector<EncodedPiece> encoded;
  std::exception_ptr error;
  bool done = false;

  // Fills up to about `bytes`; false when there was nothing more.
  bool fill(DocumentReader& reader, size_t bytes) {
    size_t total = 0;
    used = 0;
    done = false;
    error = nullptr;
    constexpr size_t most_pieces = 1024;
    while (total < bytes && used < most_pieces) {
      if (used == pieces.size()) pieces.emplace_back();
      if (!reader.next(pieces[used])) break;
      total += pieces[used++].text.size();
    }
    return used > 0;
  }

  void encode(const EncodeFunction& encode_piece) {
    encoded.clear();
    try {
      for (size_t i = 0; i < used; ++i) encoded.push_back(encode_piece(pieces[i]));
    } catch (...) {
      error = std::current_exception();
    }
  }
};

class Workers {
 public:
  Workers(const EncodeFunction& encode, int count) : encode_(encode) {
    for (int i = 0; i < count; ++i) threads_.push_back(background_thread([this] { run(); }));
  }

  ~Workers() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void submit(Parcel& parcel) {
    {
      std::lock_guard lock(mutex_);
      queue_.push_back(&parcel);
    }
    changed_.notify_all();
  }

  void wait_for(Parcel& parcel) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return parcel.done; });
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stop_ || !queue_.empty(); });
      if (stop_) return;
      Parcel& parcel = *queue_.front();
      queue_.pop_front();
      lock.unlock();
      parcel.encode(encode_);
      lock.lock();
      parcel.done = true;
      changed_.notify_all();
    }
  }

  const EncodeFunction& encode_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Parcel*> queue_;
  bool stop_ = false;
  std::vector<std::thread> threads_;
};

void consume_parcel(const Parcel& parcel, const std::function<void(const TokenPiece&)>& consume) {
  for (size_t i = 0; i < parcel.encoded.size(); ++i) {
    const Piece& piece = parcel.pieces[i];
    const EncodedPiece& encoded = parcel.encoded[i];
    consume({piece.document, piece.last, encoded.tokens, encoded.supervised, encoded.text_bytes,
             static_cast<int64_t>(piece.text.size())});
  }
  if (parcel.error) std::rethrow_exception(parcel.error);
}

}  // namespace

void tokenise(const std::vector<SourceFile>& files, const CutFunction& cut,
              const EncodeFunction& encode, int threads,
              const std::function<void(const TokenPiece&)>& consume, PieceLimits limits) {
  if (threads <= 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  DocumentReader reader(files, cut, limits);
  std::vector<Parcel> parcels(static_cast<size_t>(threads) + 2);
  Workers workers(encode, threads);
  size_t filled = 0, consumed = 0;
  std::exception_ptr reader_error;
  bool more = true;
  while (more || consumed < filled) {
    if (more && filled - consumed < parcels.size()) {
      Parcel& parcel = parcels[filled % parcels.size()];
      // What was read before an error comes first: an error in it is the first one of the text.
      try {
        more = parcel.fill(reader, limits.target);
      } catch (...) {
        reader_error = std::current_exception();
        more = false;
      }
      if (parcel.used > 0) {
        workers.submit(parcel);
        ++filled;
      }
      continue;
    }
    Parcel& parcel = parcels[consumed % parcels.size()];
    workers.wait_for(parcel);
    consume_parcel(parcel, consume);
    ++consumed;
  }
  if (reader_error) std::rethrow_exception(reader_error);
}

}  // namespace anneal
