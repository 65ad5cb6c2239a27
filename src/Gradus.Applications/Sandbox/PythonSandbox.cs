// Our interpreter inside the sandbox: the program starts itself once more, as the interpreter, in a process that may read the .NET runtime and nothing else.

using System.Text.Json;
using System.Text.Json.Serialization;
using Gradus.Applications.Python;

namespace Gradus.Applications.Sandbox;

/// <summary>Runs programs of the Python subset in a sandboxed process.</summary>
/// <param name="sandbox">The sandbox.</param>
/// <param name="interpreter">The command that runs <see cref="RunInterpreter"/>: <see cref="SandboxLauncher.CommandOf"/> with <see cref="Argument"/>.</param>
public sealed class PythonSandbox(Sandbox sandbox, IReadOnlyList<string> interpreter)
{
    /// <summary>The argument that makes a program call <see cref="RunInterpreter"/>.</summary>
    public const string Argument = "python-interpreter";

    /// <summary>Runs a program.</summary>
    /// <param name="source">The program.</param>
    /// <param name="options">What the interpreter holds it to.</param>
    /// <param name="time">Time on the wall.</param>
    /// <param name="resultVariable">The variable, or function without parameters, whose value is wanted; null for none.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>What it did; a limit of the process is an error in the result.</returns>
    /// <exception cref="SandboxRefusedException">There is no sandbox.</exception>
    public async Task<PythonResult> RunAsync(
        string source, PythonOptions options, TimeSpan time, string? resultVariable = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(options);
        const long Runtime = 192L << 20;
        byte[] input = JsonSerializer.SerializeToUtf8Bytes(
            new InterpreterRequest(source, options.Steps, options.MemoryBytes, options.OutputCharacters, options.Seed, options.Now, resultVariable),
            InterpreterJson.Default.InterpreterRequest);
        string[] own = interpreter.Count > 2 ? [SandboxLauncher.DotNetFolder, AppContext.BaseDirectory] : [AppContext.BaseDirectory];
        SandboxResult result = await sandbox.RunAsync(
            new SandboxRequest(interpreter[0], [.. interpreter.Skip(1)])
            {
                Input = input,
                ReadPaths = own,
                IsDotNet = true,
                Environment = new Dictionary<string, string>(Sandbox.DotNetSettings)
                {
                    ["DOTNET_GCHeapHardLimit"] = (options.MemoryBytes + Runtime).ToString("x", null),
                    ["DOTNET_TieredPGO"] = "1",
                },
                // JSON may write a character in six.
                Limits = new SandboxLimits(time, options.MemoryBytes + 2 * Runtime, OutputBytes: 6L * options.OutputCharacters + (1 << 20), FileBytes: 1 << 20),
            },
            cancellation).ConfigureAwait(false);
        return result.End switch
        {
            SandboxEnd.TimeUsedUp => new PythonResult("", null, $"TimeoutError: the program ran longer than {time.TotalSeconds:0.###} s"),
            SandboxEnd.MemoryUsedUp => new PythonResult("", null, "MemoryError: the program holds more memory than it may"),
            SandboxEnd.Exited when result.ExitCode == 0 => JsonSerializer.Deserialize(result.Output, InterpreterJson.Default.PythonResult)!,
            _ => new PythonResult("", null, $"SystemError: the interpreter's process ended ({result.End}, code {result.ExitCode}) {result.ErrorText.Trim()}"),
        };
    }

    /// <summary>The interpreter's process: reads a request from a stream and writes the result to another.</summary>
    /// <returns>The exit code.</returns>
    public static int RunInterpreter(Stream input, Stream output)
    {
        InterpreterRequest request = JsonSerializer.Deserialize(input, InterpreterJson.Default.InterpreterRequest)!;
        PythonResult result = Interpreter.Run(
            request.Source, new PythonOptions(request.Steps, request.MemoryBytes, request.OutputCharacters, request.Seed, request.Now), request.ResultVariable);
        JsonSerializer.Serialize(output, result, InterpreterJson.Default.PythonResult);
        output.Flush();
        return 0;
    }
}

/// <summary>What the interpreter's process is asked.</summary>
internal sealed record InterpreterRequest(
    string Source, long Steps, long MemoryBytes, int OutputCharacters, long Seed, DateTime? Now, string? ResultVariable);

[JsonSerializable(typeof(InterpreterRequest))]
[JsonSerializable(typeof(PythonResult))]
internal sealed partial class InterpreterJson : JsonSerializerContext;
