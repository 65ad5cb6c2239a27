// Programs of others, run beside ours so that both meet the same machine at the same time; bench/peers says how to install them.

using System.Diagnostics;
using System.Globalization;

namespace Gradus.Bench;

/// <summary>Runs the scripts of <c>bench/peers</c>, and the program of its peers from .NET.</summary>
internal static class Peers
{
    private static readonly string? Folder = Environment.GetEnvironmentVariable("GRADUS_PEERS");
    private static readonly string Scripts = Find();

    /// <summary>The peers that are .NET packages, built from <c>bench/peers/dotnet</c> into the folder <c>dotnet</c> of the peers.</summary>
    public const string DotnetProgram = "Gradus.Peers";

    /// <summary>The lines that a script prints: a name and its figures; none where peers are not asked for or not installed.</summary>
    /// <param name="script">A file of bench/peers, or <see cref="DotnetProgram"/>.</param>
    /// <param name="print">Told why there is nothing.</param>
    /// <param name="arguments">What the script is given.</param>
    public static IReadOnlyDictionary<string, double[]> Run(string script, Action<string> print, params string[] arguments)
    {
        Dictionary<string, double[]> results = [];
        if (Folder is null)
            return results;
        bool dotnet = script == DotnetProgram;
        string program = dotnet ? Path.Combine(Folder, "dotnet", script) : script.EndsWith(".py", StringComparison.Ordinal) ? Environment.GetEnvironmentVariable("GRADUS_PEERS_PYTHON") ?? "/usr/bin/python3" : "node";
        ProcessStartInfo start = new(program, dotnet ? arguments : [Path.Combine(Scripts, script), .. arguments]) { RedirectStandardOutput = true, RedirectStandardError = true };
        // What old-libstdcxx.sh has made.
        if (dotnet && Directory.Exists(Path.GetDirectoryName(program)) && Directory.EnumerateFiles(Path.GetDirectoryName(program)!, "libempty.so", SearchOption.AllDirectories).FirstOrDefault() is { } preload)
            start.Environment["LD_PRELOAD"] = preload;
        start.Environment["OPENBLAS_CORETYPE"] = "SkylakeX";
        start.Environment["OMP_NUM_THREADS"] = Environment.ProcessorCount.ToString(CultureInfo.InvariantCulture);
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            while (process.StandardOutput.ReadLine() is { } line)
            {
                string[] words = line.Split(' ');
                results[words[0]] = [.. words.Skip(1).Select(w => double.Parse(w, CultureInfo.InvariantCulture))];
            }
            process.WaitForExit();
            if (process.ExitCode != 0)
                print($"  {script}: {errors.Result.Trim().Split('\n')[^1]}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            print($"  {script}: {program}: {e.Message}");
        }
        return results;
    }

    // The scripts lie in the repository, above the program.
    private static string Find()
    {
        for (DirectoryInfo? at = new(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            string scripts = Path.Combine(at.FullName, "bench", "peers");
            if (Directory.Exists(scripts))
                return scripts;
        }
        return "bench/peers";
    }
}
