using Microsoft.Win32.SafeHandles;

namespace Gradus.Cli.Console;

/// <summary>The reader of our output has gone away (<c>gradus … | head</c>): nothing is left to do.</summary>
internal sealed class BrokenPipeException(IOException inner) : IOException("The reader of the output has gone away.", inner);

/// <summary>
/// Standard output that notices when its reader goes away. The console streams of .NET swallow that, so that a command would
/// work on for nobody; a plain stream over the handle does not, but is right only for pipes and terminals: in a file it would
/// write at a place of its own rather than at the one that is shared with other processes.
/// </summary>
internal sealed class StandardOutput : Stream
{
    // EPIPE, on Linux, macOS and the BSDs.
    private const int BrokenPipe = 32;
    private readonly Stream _inner;

    private StandardOutput(Stream inner)
    {
        _inner = inner;
    }

    /// <inheritdoc/>
    public override bool CanRead => false;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => true;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Opens it.</summary>
    public static Stream Open()
    {
        if (OperatingSystem.IsWindows())
            return System.Console.OpenStandardOutput();
        try
        {
            FileStream stream = new(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
            return stream.CanSeek ? System.Console.OpenStandardOutput() : new StandardOutput(stream);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // Closed, or of a kind that FileStream does not take.
            return System.Console.OpenStandardOutput();
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            _inner.Write(buffer);
        }
        catch (IOException e) when (e.HResult == BrokenPipe)
        {
            throw new BrokenPipeException(e);
        }
    }

    /// <inheritdoc/>
    public override void Flush() => _inner.Flush();

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();
}
