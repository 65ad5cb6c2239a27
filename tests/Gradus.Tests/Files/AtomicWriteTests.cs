using System.Diagnostics;
using Gradus.Files;

namespace Gradus.Tests.Files;

public sealed class AtomicWriteTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void FolderReplacesItsPredecessorWhole()
    {
        SavingChild.SaveFolder(_folder["c"], 1);
        File.WriteAllText(Path.Combine(_folder["c"], "notes.txt"), "the user's own");
        using (AtomicFolder folder = AtomicFolder.Begin(_folder["c"]))
        {
            folder.WriteAllText("config.json", "{}");
            Assert.True(File.Exists(Path.Combine(_folder["c"], "model.bin")));
            folder.Commit();
        }
        Assert.Equal([".complete", "config.json", "notes.txt"], Names(_folder["c"]));
        Assert.True(AtomicFolder.IsComplete(_folder["c"]));
        Assert.Equal(["c"], Names(_folder.Path));
    }

    [Fact]
    public void FolderWithoutCommitLeavesNothing()
    {
        using (AtomicFolder folder = AtomicFolder.Begin(_folder["c"]))
            folder.WriteAllText("a/b/config.json", "{}");
        Assert.Empty(Names(_folder.Path));
    }

    [Fact]
    public void FolderRefusesToReplaceWhatItDidNotWrite()
    {
        Directory.CreateDirectory(_folder["mine"]);
        File.WriteAllText(_folder["mine/thesis.txt"], "years of work");
        IOException e = Assert.Throws<IOException>(() => AtomicFolder.Begin(_folder["mine"]));
        Assert.Contains("choose another folder", e.Message, StringComparison.Ordinal);
        File.WriteAllText(_folder["file"], "");
        Assert.Throws<IOException>(() => AtomicFolder.Begin(_folder["file"]));
        Assert.Equal(["file", "mine"], Names(_folder.Path));
    }

    [Fact]
    public void FolderRefusesPathsThatLeadOut()
    {
        using AtomicFolder folder = AtomicFolder.Begin(_folder["c"]);
        Assert.Throws<ArgumentException>(() => folder.Create("../x"));
        Assert.Throws<ArgumentException>(() => folder.Create("/tmp/x"));
        Assert.Throws<ArgumentException>(() => folder.Create(""));
    }

    [Fact]
    public void PartialCopyIsNotComplete()
    {
        SavingChild.SaveFolder(_folder["c"], 1);
        Assert.True(AtomicFolder.IsComplete(_folder["c"]));
        using (FileStream stream = new(_folder["c/model.bin"], FileMode.Open))
            stream.SetLength(10);
        Assert.False(AtomicFolder.IsComplete(_folder["c"]));
        File.WriteAllText(_folder["c/.complete"], "[]");
        Assert.False(AtomicFolder.IsComplete(_folder["c"]));
        Assert.False(AtomicFolder.IsComplete(_folder.Path));
    }

    [Fact]
    public void TwoWritersOfOneFolderAreRefusedByName()
    {
        using AtomicFolder first = AtomicFolder.Begin(_folder["c"]);
        IOException e = Assert.Throws<IOException>(() => AtomicFolder.Begin(_folder["c"]));
        Assert.Contains($"process {Environment.ProcessId}", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
        using AtomicFolder other = AtomicFolder.Begin(_folder["d"]);
        Assert.True(Directory.Exists(first.TemporaryPath));
        other.Commit();
        first.Commit();
        Assert.Equal(["c", "d"], Names(_folder.Path));
    }

    [Fact]
    public void AnotherProcessIsRefusedUntilTheFirstDies()
    {
        using Process child = SavingChild.Start("hold", _folder["c"]);
        IOException e = Assert.Throws<IOException>(() => AtomicFolder.Begin(_folder["c"]));
        Assert.Contains($"process {child.Id}", e.Message, StringComparison.Ordinal);
        child.Kill();
        child.WaitForExit();
        SavingChild.SaveFolder(_folder["c"], 1);
        Assert.Equal(["c"], Names(_folder.Path));
    }

    [Fact]
    public void LockIsGivenOnceAtATime()
    {
        int inside = 0, most = 0, taken = 0;
        Parallel.For(0, 400, _ =>
        {
            using FolderLock? held = FolderLock.TryAcquire(_folder[".lock"]);
            if (held is null)
                return;
            int now = Interlocked.Increment(ref inside);
            InterlockedMax(ref most, now);
            Interlocked.Increment(ref taken);
            Interlocked.Decrement(ref inside);
        });
        Assert.Equal(1, most);
        Assert.True(taken > 0);
        Assert.Empty(Names(_folder.Path));
        File.WriteAllText(_folder[".lock"], "999999 left by a killed process");
        using FolderLock again = FolderLock.Acquire(_folder[".lock"], "c");
    }

    [Fact]
    public void FullDiskKeepsThePreviousFolderAndFile()
    {
        SavingChild.SaveFolder(_folder["c"], 1);
        AtomicFile.WriteAllText(_folder["f"], "old");
        // The disk fills at every point of the second save in turn, until the save fits.
        bool saved = false;
        for (long room = 0; !saved; room += 100_000)
        {
            FullDisk disk = new(room);
            try
            {
                using AtomicFolder folder = AtomicFolder.Begin(_folder["c"], disk.Layer);
                for (int i = 0; i < 3; i++)
                {
                    using Stream stream = folder.Create($"new{i}");
                    stream.Write(SavingChild.Content(2));
                }
                folder.Commit();
                saved = true;
            }
            catch (IOException)
            {
                AssertWholeStep(_folder["c"], 1);
            }
            Assert.Equal(["c", "f"], Names(_folder.Path));
        }
        Assert.Equal([".complete", "new0", "new1", "new2"], Names(_folder["c"]));
        Assert.Throws<IOException>(() => AtomicFile.Write(_folder["f"], s => s.Write(new byte[100]), new FullDisk(50).Layer));
        Assert.Equal("old", File.ReadAllText(_folder["f"]));
        Assert.Equal(["c", "f"], Names(_folder.Path));
    }

    [RealDiskFact]
    public void ARealFullDiskKeepsThePreviousFolder()
    {
        string mount = _folder["disk"];
        Directory.CreateDirectory(mount);
        Run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", mount);
        try
        {
            SavingChild.SaveFolder(Path.Combine(mount, "c"), 1);
            File.WriteAllBytes(Path.Combine(mount, "ballast"), new byte[300_000]);
            Assert.Throws<IOException>(() => SavingChild.SaveFolder(Path.Combine(mount, "c"), 2));
            AssertWholeStep(Path.Combine(mount, "c"), 1);
            Assert.Equal(["ballast", "c"], Names(mount));
        }
        finally
        {
            Run("umount", mount);
        }
    }

    [Fact]
    public void KilledWhileSavingAFolderEitherStepIsWhole()
    {
        Random random = new(1);
        string target = _folder["checkpoint-1"];
        for (int round = 0; round < 10; round++)
        {
            using (Process child = SavingChild.Start("folder", target))
            {
                Thread.Sleep(random.Next(60));
                child.Kill();
                child.WaitForExit();
            }
            AssertWholeStep(target, null);
            // The next write, of any checkpoint in the place, cleans up.
            SavingChild.SaveFolder(_folder["checkpoint-2"], 9);
            Assert.Equal(["checkpoint-1", "checkpoint-2"], Names(_folder.Path).Where(n => n != ".checkpoint-1.lock"));
            AssertWholeStep(target, null);
        }
        SavingChild.SaveFolder(target, 3);
        AssertWholeStep(target, 3);
        Assert.Equal(["checkpoint-1", "checkpoint-2"], Names(_folder.Path));
    }

    [Fact]
    public void KilledWhileSavingAFileTheFileIsWhole()
    {
        Random random = new(2);
        for (int round = 0; round < 5; round++)
        {
            using (Process child = SavingChild.Start("file", _folder["state.bin"]))
            {
                Thread.Sleep(random.Next(40));
                child.Kill();
                child.WaitForExit();
            }
            byte[] bytes = File.ReadAllBytes(_folder["state.bin"]);
            Assert.Equal(SavingChild.FileLength, bytes.Length);
            Assert.Single(bytes.Distinct());
        }
        AtomicFile.WriteAllText(_folder["state.bin"], "new");
        Assert.Equal(["state.bin"], Names(_folder.Path));
    }

    [Fact]
    public void AKillBetweenTheTwoMovesIsRepaired()
    {
        // Where names cannot be exchanged: the old folder has moved away, the new one has not arrived.
        SavingChild.SaveFolder(_folder["c"], 1);
        Directory.Move(_folder["c"], _folder[".c.replaced-77-abc"]);
        Directory.CreateDirectory(_folder[".c.writing-77-abc"]);
        AtomicFolder.CleanLeftovers(_folder.Path);
        AssertWholeStep(_folder["c"], 1);
        Assert.Equal(["c"], Names(_folder.Path));
    }

    private static void AssertWholeStep(string folder, byte? step)
    {
        Assert.True(AtomicFolder.IsComplete(folder));
        string[] files = [.. Directory.GetFiles(folder, "*.bin", SearchOption.AllDirectories)];
        Assert.Equal(SavingChild.Files, files.Length);
        byte[] all = [.. files.SelectMany(File.ReadAllBytes).Distinct()];
        Assert.Single(all);
        Assert.Equal(step ?? all[0], all[0]);
    }

    private static IEnumerable<string> Names(string folder) =>
        Directory.EnumerateFileSystemEntries(folder).Select(e => Path.GetFileName(e)!).Order(StringComparer.Ordinal);

    private static void InterlockedMax(ref int target, int value)
    {
        for (int seen = Volatile.Read(ref target); value > seen;)
            seen = Interlocked.CompareExchange(ref target, value, seen);
    }

    private static void Run(string command, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(command, arguments))!;
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    /// <summary>A disk with room for so many bytes, over all its files.</summary>
    private sealed class FullDisk(long room)
    {
        private long _room = room;

        public Stream Layer(Stream inner) => new Limited(this, inner);

        private sealed class Limited(FullDisk disk, Stream inner) : Stream
        {
            public override bool CanRead => false;
            public override bool CanSeek => false;
            public override bool CanWrite => true;
            public override long Length => inner.Length;
            public override long Position { get => inner.Position; set => throw new NotSupportedException(); }
            public override void Flush() => inner.Flush();
            public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
            public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
            public override void SetLength(long value) => throw new NotSupportedException();

            public override void Write(byte[] buffer, int offset, int count)
            {
                if (count > disk._room)
                    throw new IOException("No space left on device");
                disk._room -= count;
                inner.Write(buffer, offset, count);
            }

            protected override void Dispose(bool disposing)
            {
                inner.Dispose();
                base.Dispose(disposing);
            }
        }
    }

    /// <summary>A fact that mounts a small file system of its own; skipped with a message where it may not.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class RealDiskFactAttribute : FactAttribute
    {
        public RealDiskFactAttribute()
        {
            if (!OperatingSystem.IsLinux() || Environment.UserName != "root" || !CanMount())
                Skip = "needs the right to mount a tmpfs (root on Linux); FullDiskKeepsThePreviousFolderAndFile simulates it";
        }

        private static bool CanMount()
        {
            string probe = Directory.CreateTempSubdirectory("gradus-mount-").FullName;
            try
            {
                using Process mount = Process.Start(new ProcessStartInfo("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", probe]) { RedirectStandardError = true })!;
                mount.WaitForExit();
                if (mount.ExitCode != 0)
                    return false;
                using Process unmount = Process.Start("umount", [probe]);
                unmount.WaitForExit();
                return unmount.ExitCode == 0;
            }
            catch (System.ComponentModel.Win32Exception)
            {
                return false;
            }
            finally
            {
                Directory.Delete(probe);
            }
        }
    }
}
