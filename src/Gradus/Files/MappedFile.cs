// What can go wrong with a mapped file that somebody changes: a file that is truncated in place loses its pages, and the next read of one ends
// the process (SIGBUS on Linux, which no program can turn into an error while kernels read from many threads). Against that: the file is
// open without write sharing for as long as anything looks at it, which .NET's writers respect on Linux (flock) and the system enforces
// on Windows; what its header says is checked against its length when it is opened; and this program itself never writes a file in place
// (AtomicFile, AtomicFolder): a replaced file is another one, the old one stays whole until it is unmapped.

using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;

namespace Gradus.Files;

/// <summary>A whole file mapped read-only into memory, until it is disposed and everybody who holds a reference on it has released that.</summary>
internal sealed unsafe class MappedFile : SafeHandle
{
    private readonly MemoryMappedFile? _map;
    private readonly MemoryMappedViewAccessor? _view;

    /// <summary>Maps a file. Others may read, rename or delete it meanwhile, not write to it.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file is being written, or cannot be mapped.</exception>
    public MappedFile(string path)
        : base(0, ownsHandle: true)
    {
        Path = path;
        if (!File.Exists(path))
            throw new FileNotFoundException(Directory.Exists(path) ? $"{path}: is a folder, not a file." : $"{path}: no such file.", path);
        FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
        try
        {
            Length = stream.Length;
            if (Length > 0)
            {
                _map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
                _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
                byte* pointer = null;
                _view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
                SetHandle((nint)pointer);
            }
            else
            {
                stream.Dispose();
            }
        }
        catch
        {
            _view?.Dispose();
            _map?.Dispose();
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The path as it was given.</summary>
    public string Path { get; }

    /// <summary>Bytes in the file when it was mapped.</summary>
    public long Length { get; }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == 0;

    /// <summary>A part of the file.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie inside the file.</exception>
    public TensorBytes Bytes(long offset, long length)
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - offset);
        return new TensorBytes((byte*)handle + offset, length) { Owner = this };
    }

    /// <summary>A part of the file as a span.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie inside the file.</exception>
    public ReadOnlySpan<byte> Span(long offset, int length) => Bytes(offset, length).Span;

    /// <summary>Unmaps the file; every pointer into it becomes invalid.</summary>
    protected override bool ReleaseHandle()
    {
        _view!.SafeMemoryMappedViewHandle.ReleasePointer();
        _view.Dispose();
        _map!.Dispose();
        return true;
    }
}
