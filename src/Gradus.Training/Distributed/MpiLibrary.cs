using System.Runtime.InteropServices;
using System.Text;

namespace Gradus.Training.Distributed;

/// <summary>
/// The dozen functions of MPI that are used, called in the library of the system. Only bytes travel, so that nothing of a library's types is
/// needed but the handles of "all processes" and "byte". Open MPI's handles are addresses of objects that it exports, MPICH's are numbers
/// (mpi.h of both); either fits a register. Left out: the MPI 5 ABI, which no system here has yet, and Microsoft's MPI.
/// </summary>
internal sealed unsafe partial class MpiLibrary
{
    private const int LoadNow = 2;
    private readonly nint _handle;
    private readonly nint _world;
    private readonly nint _byte;
    private readonly delegate* unmanaged<int*, byte***, int, int*, int> _initialize;
    private readonly delegate* unmanaged<int> _finalize;
    private readonly delegate* unmanaged<nint, int, int> _abort;
    private readonly delegate* unmanaged<nint, int*, int> _rank;
    private readonly delegate* unmanaged<nint, int*, int> _size;
    private readonly delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int> _send;
    private readonly delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int> _receive;
    private readonly delegate* unmanaged<nint*, int*, void*, int> _test;
    private readonly delegate* unmanaged<int, byte*, int*, int> _errorText;

    private MpiLibrary(nint handle, string name)
    {
        _handle = handle;
        Name = name;
        Kind = NativeLibrary.TryGetExport(handle, "ompi_mpi_comm_world", out nint world) ? MpiKind.OpenMpi : MpiKind.Mpich;
        _world = Kind == MpiKind.OpenMpi ? world : 0x44000000;
        _byte = Kind == MpiKind.OpenMpi ? NativeLibrary.GetExport(handle, "ompi_mpi_byte") : 0x4C00010D;
        _initialize = (delegate* unmanaged<int*, byte***, int, int*, int>)Function("MPI_Init_thread");
        _finalize = (delegate* unmanaged<int>)Function("MPI_Finalize");
        _abort = (delegate* unmanaged<nint, int, int>)Function("MPI_Abort");
        _rank = (delegate* unmanaged<nint, int*, int>)Function("MPI_Comm_rank");
        _size = (delegate* unmanaged<nint, int*, int>)Function("MPI_Comm_size");
        _send = (delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Function("MPI_Isend");
        _receive = (delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int>)Function("MPI_Irecv");
        _test = (delegate* unmanaged<nint*, int*, void*, int>)Function("MPI_Test");
        _errorText = (delegate* unmanaged<int, byte*, int*, int>)Function("MPI_Error_string");
    }

    /// <summary>The implementation.</summary>
    public MpiKind Kind { get; }

    /// <summary>The library's file.</summary>
    public string Name { get; }

    /// <summary>Loads the library of an implementation. It stays for the life of the process.</summary>
    /// <exception cref="MpiException">The system has none.</exception>
    public static MpiLibrary Load(MpiKind kind)
    {
        if (OperatingSystem.IsWindows())
            throw new MpiException("distributed training runs on Linux and macOS; on Windows use WSL.");
        string[] names = kind == MpiKind.OpenMpi
            ? ["libmpi.so.40", "libmpi.40.dylib", "libmpi.so", "libmpi.dylib"]
            : ["libmpich.so.12", "libmpi.so.12", "libmpi.12.dylib", "libmpich.so", "libmpi.so"];
        foreach (string name in names)
        {
            nint handle = Open(name);
            if (handle != 0)
                return new MpiLibrary(handle, name);
        }
        string package = kind == MpiKind.OpenMpi ? "openmpi-bin" : "mpich";
        throw new MpiException($"the launcher is {(kind == MpiKind.OpenMpi ? "Open MPI's" : "MPICH's")}, whose library ({names[0]}) is not installed for programs; install it (Debian: apt install {package}).");
    }

    /// <summary>Starts MPI, all calls on this one thread.</summary>
    public void Initialize()
    {
        // Open MPI would report the signals that .NET turns into exceptions; it keeps that of abort().
        if (Kind == MpiKind.OpenMpi)
            _ = SetVariable("OMPI_MCA_opal_signal", "6", 0);
        int provided;
        const int Funneled = 1;
        Check(_initialize(null, null, Funneled, &provided), "MPI_Init_thread");
    }

    /// <summary>This process's number.</summary>
    public int Rank()
    {
        int rank;
        Check(_rank(_world, &rank), "MPI_Comm_rank");
        return rank;
    }

    /// <summary>The number of processes.</summary>
    public int Size()
    {
        int size;
        Check(_size(_world, &size), "MPI_Comm_size");
        return size;
    }

    /// <summary>Begins to send bytes.</summary>
    public void Send(void* from, int bytes, int rank, int tag, nint* request) => Check(_send(from, bytes, _byte, rank, tag, _world, request), "MPI_Isend");

    /// <summary>Begins to receive bytes.</summary>
    public void Receive(void* to, int bytes, int rank, int tag, nint* request) => Check(_receive(to, bytes, _byte, rank, tag, _world, request), "MPI_Irecv");

    /// <summary>Whether a message is done.</summary>
    public bool Test(nint* request)
    {
        int done;
        // Room for the status of any implementation (20 and 24 bytes).
        long* status = stackalloc long[8];
        Check(_test(request, &done, status), "MPI_Test");
        return done != 0;
    }

    /// <summary>Ends MPI in order.</summary>
    public void End() => _ = _finalize();

    /// <summary>Ends all processes.</summary>
    public void Abort(int code) => _ = _abort(_world, code);

    private static nint Open(string name)
    {
        try
        {
            // Parts that the library loads by itself look for its symbols among those of the whole process.
            return OpenLibrary(name, LoadNow | (OperatingSystem.IsMacOS() ? 8 : 0x100));
        }
        catch (EntryPointNotFoundException)
        {
            return NativeLibrary.TryLoad(name, out nint handle) ? handle : 0;
        }
    }

    private nint Function(string name) => NativeLibrary.TryGetExport(_handle, name, out nint address)
        ? address
        : throw new MpiException($"{Name}: has no {name}; it is not a library of MPI 3 or later.");

    private void Check(int code, string function)
    {
        if (code == 0)
            return;
        byte* text = stackalloc byte[1024];
        int length = 0;
        string why = _errorText(code, text, &length) == 0 ? Encoding.UTF8.GetString(text, Math.Clamp(length, 0, 1023)) : $"error {code}";
        throw new MpiException($"{function} of {Name} failed: {why}");
    }

    [LibraryImport("libc", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenLibrary(string name, int flags);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);
}
