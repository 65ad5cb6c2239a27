using System.Diagnostics;

namespace Gradus.Cli.Tests.Verbs;

/// <summary>Signals and pipes that close, told to processes that are known to be at work: they have answered once.</summary>
public sealed class InterruptTests(SmallModel models) : IClassFixture<SmallModel>
{
    [Theory]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    [InlineData("HUP", 129)]
    public async Task ASignalEndsTheWorkWithItsExitCode(string signal, int code)
    {
        if (OperatingSystem.IsWindows())
            return;
        using Process process = Answering();
        using Process kill = Process.Start("kill", [$"-{signal}", $"{process.Id}"]);
        Task<string> error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(code, process.ExitCode);
        Assert.StartsWith("gradus: stopping", Assert.Single((await error).TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AReaderThatGoesAwayEndsItQuietly()
    {
        using Process process = Answering();
        process.StandardOutput.Close();
        Task<string> error = process.StandardError.ReadToEndAsync();
        try
        {
            while (!process.HasExited)
                process.StandardInput.WriteLine("More");
        }
        catch (IOException)
        {
            // It has ended.
        }
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        Assert.Empty(await error);
    }

    [Fact]
    public void AFullDiskIsAFailure()
    {
        if (!File.Exists("/dev/full"))
            return;
        using Process process = Process.Start(new ProcessStartInfo(
            "/bin/sh", ["-c", "exec dotnet exec \"$0\" inspect \"$1\" > /dev/full", typeof(Gradus.Cli.Console.CommandContext).Assembly.Location, models.Llama])
        {
            RedirectStandardError = true,
        })!;
        string error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.Equal(1, process.ExitCode);
        Assert.StartsWith("gradus: ", Assert.Single(error.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    private Process Answering()
    {
        Process process = CommandLineRun.Start(["chat", models.Llama, "--greedy", "--max-tokens", "4", "--json"]);
        process.StandardInput.WriteLine("Hi");
        process.StandardInput.Flush();
        Assert.Contains("assistant", process.StandardOutput.ReadLine(), StringComparison.Ordinal);
        return process;
    }
}
