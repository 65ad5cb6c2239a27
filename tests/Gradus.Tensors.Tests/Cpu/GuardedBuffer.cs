using System.Runtime.InteropServices;

namespace Gradus.Tensors.Cpu.Tests;

/// <summary>
/// Memory that ends exactly where unmapped memory begins, and starts after such memory, so that a read or write outside is a crash on
/// Linux. Between the lower guard and <see cref="Start"/> lie up to a page of canary bytes that <see cref="AssertIntact"/> looks at.
/// </summary>
internal sealed unsafe partial class GuardedBuffer : IDisposable
{
    private const byte Canary = 0xA5;

    private readonly byte* _mapping;
    private readonly nuint _length;
    private readonly byte* _inside;

    public GuardedBuffer(long bytes)
    {
        nuint page = (nuint)Environment.SystemPageSize;
        nuint inside = ((nuint)bytes + page - 1) / page * page;
        _length = inside + 2 * page;
        if (OperatingSystem.IsLinux())
        {
            _mapping = Map(null, _length, 3, 0x22, -1, 0);
            Assert.NotEqual(-1, (nint)_mapping);
            Assert.Equal(0, Protect(_mapping, page, 0));
            Assert.Equal(0, Protect(_mapping + page + inside, page, 0));
        }
        else
        {
            _mapping = (byte*)NativeMemory.AlignedAlloc(_length, page);
        }
        _inside = _mapping + page;
        End = _inside + inside;
        Start = End - bytes;
        new Span<byte>(_inside, (int)inside).Fill(Canary);
        Poison();
    }

    /// <summary>The first byte.</summary>
    public byte* Start { get; }

    /// <summary>The byte after the last one; not mapped.</summary>
    public byte* End { get; }

    public float* Floats => (float*)Start;

    public Span<float> AsFloats => new(Start, (int)((End - Start) / sizeof(float)));

    /// <summary>Fills the buffer with NaN patterns, so that a value that is never written is seen.</summary>
    public void Poison() => new Span<byte>(Start, (int)(End - Start)).Fill(0xFF);

    /// <summary>Fails where something was written before the start.</summary>
    public void AssertIntact()
    {
        for (byte* p = _inside; p < Start; p++)
            Assert.Equal(Canary, *p);
    }

    public void Dispose()
    {
        if (OperatingSystem.IsLinux())
            _ = Unmap(_mapping, _length);
        else
            NativeMemory.AlignedFree(_mapping);
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial byte* Map(void* address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(void* address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(void* address, nuint length);
}
