namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// A stable merge sort. Array.Sort would wrap errors of the comparison and may fail on orders that are none (NaN).
/// </summary>
internal static class Sorting
{
    /// <summary>Sorts in place; <paramref name="before"/> says whether its second argument has to stand before its first.</summary>
    public static void Sort<T>(T[] items, Func<T, T, bool> before)
    {
        T[] buffer = new T[items.Length];
        for (long width = 1; width < items.Length; width *= 2)
        {
            for (long start = 0; start < items.Length; start += 2 * width)
                Merge(items, buffer, (int)start, (int)Math.Min(start + width, items.Length), (int)Math.Min(start + (2 * width), items.Length), before);
            buffer.CopyTo(items, 0);
        }
    }

    private static void Merge<T>(T[] items, T[] buffer, int start, int middle, int end, Func<T, T, bool> before)
    {
        int left = start, right = middle;
        for (int i = start; i < end; i++)
        {
            bool takeRight = left >= middle || (right < end && before(items[left], items[right]));
            buffer[i] = takeRight ? items[right++] : items[left++];
        }
    }
}
