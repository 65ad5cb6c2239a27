using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using Gradus.Files;

namespace Gradus.Tests.Files;

/// <summary>
/// The test assembly as its own child process: with <c>GRADUS_TEST_SAVER</c> set it saves over and over instead of running tests,
/// until the test kills it.
/// </summary>
public static class SavingChild
{
    public const int Files = 4;
    public const int FileLength = 300_000;

    /// <summary>Starts a child that saves a folder or file, or only holds a folder (mode "hold"), at a path and waits until it has begun.</summary>
    public static Process Start(string mode, string path)
    {
        ProcessStartInfo start = new("dotnet") { RedirectStandardOutput = true };
        start.ArgumentList.Add("exec");
        start.ArgumentList.Add(typeof(SavingChild).Assembly.Location);
        start.Environment["GRADUS_TEST_SAVER"] = $"{mode}|{path}";
        Process child = Process.Start(start)!;
        Assert.Equal("saving", child.StandardOutput.ReadLine());
        return child;
    }

    /// <summary>Saves step <paramref name="step"/>: every byte of every file depends on the step.</summary>
    public static void SaveFolder(string path, byte step)
    {
        using AtomicFolder folder = AtomicFolder.Begin(path);
        for (int i = 0; i < Files; i++)
        {
            using Stream stream = folder.Create(i == 0 ? "model.bin" : $"trainer/state{i}.bin");
            stream.Write(Content(step));
        }
        folder.Commit();
    }

    public static byte[] Content(byte step)
    {
        byte[] bytes = new byte[FileLength];
        Array.Fill(bytes, step);
        return bytes;
    }

    [ModuleInitializer]
    [SuppressMessage("Usage", "CA2255", Justification = "The generated entry point of a test assembly leaves no other place to become the child.")]
    internal static void RunIfAsked()
    {
        if (Environment.GetEnvironmentVariable("GRADUS_TEST_SAVER")?.Split('|') is not [string mode, string path])
            return;
        if (mode == "hold")
        {
            using AtomicFolder held = AtomicFolder.Begin(path);
            Console.WriteLine("saving");
            Thread.Sleep(Timeout.Infinite);
        }
        for (int step = 1; ; step++)
        {
            if (mode == "folder")
                SaveFolder(path, (byte)step);
            else
                AtomicFile.Write(path, stream => stream.Write(Content((byte)step)));
            if (step == 1)
                Console.WriteLine("saving");
        }
    }
}
