using System.Runtime.InteropServices;

namespace Gradus.Files;

/// <summary>Unmanaged memory for a tensor whose bytes in the file are not in the order that readers expect.</summary>
internal sealed unsafe class OwnedBytes : SafeHandle
{
    /// <summary>Allocates uninitialised memory.</summary>
    public OwnedBytes(long length)
        : base(IntPtr.Zero, ownsHandle: true)
    {
        handle = (nint)NativeMemory.Alloc(checked((nuint)length));
        Length = length;
    }

    /// <inheritdoc/>
    public override bool IsInvalid => handle == IntPtr.Zero;

    /// <summary>The number of bytes.</summary>
    public long Length { get; }

    /// <summary>The first byte.</summary>
    public byte* Pointer => (byte*)handle;

    /// <inheritdoc/>
    protected override bool ReleaseHandle()
    {
        NativeMemory.Free((void*)handle);
        return true;
    }
}
