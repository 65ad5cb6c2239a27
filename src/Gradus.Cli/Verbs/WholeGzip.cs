// GZipStream takes a file that ends too early for one that ends: a download that was cut off would pass for all of the data.
// Here a member of known content is put behind the file (members are concatenated, RFC 1952, 2.2); what comes out must end with it.

using System.IO.Compression;

namespace Gradus.Cli.Verbs;

/// <summary>The content of a gzip file, of one member or several, that must be whole.</summary>
internal sealed class WholeGzip : Stream
{
    private static readonly byte[] EndMark = "\u0004 the end of a whole gzip file"u8.ToArray();
    private readonly GZipStream _content;
    private readonly byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;

    private WholeGzip(GZipStream content)
    {
        _content = content;
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Opens a file. Reading it throws <see cref="InvalidDataException"/> where it is damaged or cut off.</summary>
    public static Stream Open(string path) => new WholeGzip(new GZipStream(new FileThenMark(File.OpenRead(path)), CompressionMode.Decompress));

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        // The last bytes are held back: they may be the mark.
        while (_end - _start <= EndMark.Length)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            _end -= _start;
            _start = 0;
            int read = _content.Read(_buffer, _end, _buffer.Length - _end);
            if (read == 0)
                return _buffer.AsSpan(0, _end).SequenceEqual(EndMark) ? 0 : throw new InvalidDataException("The file ends too early.");
            _end += read;
        }
        int given = Math.Min(buffer.Length, _end - _start - EndMark.Length);
        _buffer.AsSpan(_start, given).CopyTo(buffer);
        _start += given;
        return given;
    }

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _content.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>The bytes of a file, then those of the mark's member.</summary>
    private sealed class FileThenMark(FileStream file) : Stream
    {
        private readonly MemoryStream _mark = Compress();

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer) => file.Read(buffer) is int read and > 0 ? read : _mark.Read(buffer);

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                file.Dispose();
            base.Dispose(disposing);
        }

        private static MemoryStream Compress()
        {
            MemoryStream stream = new();
            using (GZipStream zip = new(stream, CompressionLevel.Fastest, leaveOpen: true))
                zip.Write(EndMark);
            stream.Position = 0;
            return stream;
        }
    }
}
