using System.IO.MemoryMappedFiles;

namespace Gradus.Files;

/// <summary>A whole file mapped read-only into memory.</summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _map;
    private readonly MemoryMappedViewAccessor? _view;
    private byte* _pointer;
    private bool _disposed;

    /// <summary>Maps a file. Others may read, rename or delete it meanwhile, not write to it.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="IOException">The file is being written, or cannot be mapped.</exception>
    public MappedFile(string path)
    {
        Path = path;
        if (!System.IO.File.Exists(path))
            throw new FileNotFoundException(Directory.Exists(path) ? $"{path}: is a folder, not a file." : $"{path}: no such file.", path);
        FileStream stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
        try
        {
            Length = stream.Length;
            if (Length > 0)
            {
                _map = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
                _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
                _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _pointer);
            }
            else
            {
                stream.Dispose();
            }
        }
        catch
        {
            Dispose();
            stream.Dispose();
            throw;
        }
    }

    /// <summary>The path as it was given.</summary>
    public string Path { get; }

    /// <summary>Bytes in the file when it was mapped.</summary>
    public long Length { get; }

    /// <summary>A part of the file.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie inside the file.</exception>
    public TensorBytes Bytes(long offset, long length)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Length - offset);
        return new TensorBytes(_pointer + offset, length);
    }

    /// <summary>A part of the file as a span.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie inside the file.</exception>
    public ReadOnlySpan<byte> Span(long offset, int length) => Bytes(offset, length).Span;

    /// <summary>Unmaps the file; every pointer into it becomes invalid.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        if (_pointer is not null)
            _view!.SafeMemoryMappedViewHandle.ReleasePointer();
        _pointer = null;
        _view?.Dispose();
        _map?.Dispose();
    }
}
