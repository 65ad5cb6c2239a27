namespace Gradus.Tensors.Cpu.Tests;

public sealed unsafe class WorkersTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(8)]
    public void EveryItemRunsOnce(int threads)
    {
        using Workers workers = new(threads);
        int[] runs = new int[1000];
        fixed (int* p = runs)
        {
            for (int round = 0; round < 300; round++)
            {
                int items = round * 7 % 1000;
                Counting context = new() { Runs = p, Workers = threads };
                workers.For(items, &context, &Count);
                Assert.Equal(0, context.BadWorkers);
                for (int i = 0; i < runs.Length; i++)
                {
                    Assert.Equal(i < items ? 1 : 0, runs[i]);
                    runs[i] = 0;
                }
            }
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void ALoopInsideALoopRunsEveryItem(int threads)
    {
        using Workers workers = new(threads);
        _nested = workers;
        long total = 0;
        workers.For(50, &total, &Nest);
        Assert.Equal(50 * 20, total);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void AnExceptionReachesTheCallerAndThePoolGoesOn(int threads)
    {
        using Workers workers = new(threads);
        for (int round = 0; round < 20; round++)
        {
            Assert.Equal("item 5", Assert.Throws<InvalidOperationException>(() => workers.For(100, null, &FailAtFive)).Message);
            long total = 0;
            workers.For(100, &total, &AddOne);
            Assert.Equal(100, total);
        }
    }

    [Fact]
    public void ThreadsThatShareAPoolDoNotWaitForEachOther()
    {
        using Workers workers = new(3);
        long[] totals = new long[4];
        Thread[] threads = new Thread[totals.Length];
        for (int t = 0; t < threads.Length; t++)
        {
            int mine = t;
            threads[t] = new Thread(() =>
            {
                fixed (long* total = &totals[mine])
                {
                    for (int i = 0; i < 500; i++)
                        workers.For(10, total, &AddOne);
                }
            });
            threads[t].Start();
        }
        foreach (Thread thread in threads)
            thread.Join();
        Assert.All(totals, total => Assert.Equal(5000, total));
    }

    [Fact]
    public void ALoopAllocatesNothing()
    {
        using Workers workers = new(2);
        long total = 0;
        workers.For(100, &total, &AddOne);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++)
            workers.For(100, &total, &AddOne);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    [Fact]
    public void ParkedWorkersWakeUpAgain()
    {
        using Workers workers = new(2);
        for (int round = 0; round < 20; round++)
        {
            Thread.Sleep(2);
            long seen = 0;
            workers.For(2, &seen, &MeetTheOther);
            Assert.Equal(2, seen);
        }
    }

    [Fact]
    public void APoolThatWasDisposedSaysSo()
    {
        Workers workers = new(2);
        workers.Dispose();
        workers.Dispose();
        Assert.Throws<ObjectDisposedException>(() => workers.For(2, null, &FailAtFive));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("-2")]
    [InlineData("two")]
    [InlineData("1025")]
    public void ABadNumberOfThreadsIsAnErrorOfOneLine(string value)
    {
        string message = Assert.Throws<InvalidDataException>(() => Workers.ThreadsFromEnvironment(value)).Message;
        Assert.Contains($"GRADUS_THREADS={value}", message, StringComparison.Ordinal);
    }

    [Fact]
    public void TheNumberOfThreadsComesFromTheEnvironmentOrTheCores()
    {
        Assert.Equal(7, Workers.ThreadsFromEnvironment("7"));
        Assert.Equal(Environment.ProcessorCount, Workers.ThreadsFromEnvironment(null));
    }


    private static Workers? _nested;

    private static void Count(void* context, int item, int worker)
    {
        Counting* counting = (Counting*)context;
        _ = Interlocked.Increment(ref counting->Runs[item]);
        if ((uint)worker >= (uint)counting->Workers)
            _ = Interlocked.Increment(ref counting->BadWorkers);
    }

    private static void Nest(void* context, int item, int worker)
    {
        _nested!.For(20, context, &AddOne);
    }

    private static void AddOne(void* context, int item, int worker) => Interlocked.Increment(ref *(long*)context);

    private static void FailAtFive(void* context, int item, int worker)
    {
        if (item == 5)
            throw new InvalidOperationException("item 5");
    }

    // Returns only when both items are inside at once, or after a patience that a working pool never needs.
    private static void MeetTheOther(void* context, int item, int worker)
    {
        _ = Interlocked.Increment(ref *(long*)context);
        for (int i = 0; i < 5000 && Volatile.Read(ref *(long*)context) < 2; i++)
            Thread.Sleep(1);
    }

    private struct Counting
    {
        public int* Runs;
        public int Workers;
        public int BadWorkers;
    }
}
